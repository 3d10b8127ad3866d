//! A new CA waits for nothing, and what stands in the way is told when it is known.

use std::path::Path;

use jiff::Timestamp;
use portreeve_certs::{Authority, AuthorityOptions, CommonName, Validity};
use portreeve_cluster::registrar::{Configuration, RegistrarError};
use portreeve_server::set::Sources;
use portreeve_tests::gate::loader;
use portreeve_tests::server::until;

use super::*;

/// Writes a new CA to this file.
fn put_ca(path: &Path) -> Vec<u8> {
    let validity = Validity::starting(Timestamp::now(), Duration::from_secs(3600)).unwrap();
    let options = AuthorityOptions { common_name: CommonName::parse("ca").unwrap(), validity };
    let ca = Authority::create(&options).unwrap().certificate().to_pem();
    std::fs::write(path, &ca).unwrap();
    ca.into()
}

#[tokio::test]
async fn a_new_ca_does_not_wait_for_what_policies_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");
    let endpoint = Endpoint::Url("https://127.0.0.1:1".to_owned());
    let registered = Registered {
        name: "portreeve".to_owned(),
        endpoint: endpoint.clone(),
        authorities: Authorities::new(path.clone(), Duration::ZERO),
        tokens: None,
        certificates: Certificates::InCluster,
        renewed: None,
    };
    let site = Site { name: "portreeve".to_owned(), endpoint, ca_bundle: Vec::new(), token: None };
    let wanted = watch::Sender::new(Target { registration: None, site });
    let set = loader().unwrap().load_at_once(&Sources::default()).unwrap();
    let (_tell, sets) = watch::channel(Arc::new(set));
    let (say, _unready) = watch::channel(None);
    let first = put_ca(&path);
    let mut told = wanted.subscribe();
    let sent = async {
        told.wait_for(|target| target.site.ca_bundle == first).await.unwrap();
        // While the first look waits still.
        let second = put_ca(&path);
        told.wait_for(|target| target.site.ca_bundle.starts_with(&second)).await.unwrap();
    };
    tokio::time::pause();
    tokio::select! {
        () = registered.look_after(sets, |_| pending(), &wanted, say) => panic!("it ended"),
        sent = timeout(Duration::from_secs(60), sent) => sent.unwrap(),
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_shown_before_policies_were_looked_at() {
    let (health, metrics) = (Health::default(), Metrics::default());
    let shown = Shown { health: &health, metrics: &metrics };
    let (tell, trouble) = watch::channel(None);
    let (say, unready) = watch::channel(Some(Unready::NotWorkedOut));
    let of_others = RegistrarError::NotOurs { configuration: Configuration::Mutating, name: "portreeve".to_owned() };
    tokio::join!(shown.follow(unready, trouble), async {
        let says = async |words: &str| until(words, async || health.report().contains(words)).await.unwrap();
        tell.send_replace(Some(Lacking::All(Arc::new(of_others))));
        says("registration: nothing is written").await;
        tell.send_replace(None);
        says("registration: rules stay as they were, if any").await;
        say.send_replace(None);
        says("registration: as the policies in force ask for").await;
        drop(say);
    });
}
