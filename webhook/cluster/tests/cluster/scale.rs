//! What a scan of ten thousand workloads costs, with the settings that ship.
//! `cargo test -p portreeve-cluster --test cluster -- --ignored --nocapture` makes them, which takes a minute or two,
//! and prints times and memory.

use std::time::Duration;

use portreeve_cluster::reports::Standard;
use portreeve_cluster::scan::{Finished, ScanSettings};
use serde_json::json;

use crate::judge::{FAULTY, Remembering};
use crate::scene::{create, deployment, install_reports, make_namespace, own_cluster, scan_with};

const COUNT: usize = 10_000;

/// Objects that are created together.
const BATCH: usize = 1000;

/// Of so many objects one has something to tell.
const FAULTY_ONE_IN: usize = 10;

#[tokio::test]
#[ignore = "it makes ten thousand objects, and measures"]
async fn ten_thousand_workloads_take_less_than_a_minute_and_two_hundred_megabytes() {
    let Some(cluster) = own_cluster().await else { return };
    if !install_reports(&cluster, Standard::OpenReports).await {
        return;
    }
    make_namespace(&cluster, "shop").await;
    for batch in 0..COUNT / BATCH {
        let objects = (0..BATCH).map(|number| {
            let labels = if number % FAULTY_ONE_IN == 0 { json!({FAULTY: "one"}) } else { json!({}) };
            deployment("shop", &format!("web-{batch}-{number}"), &labels)
        });
        create(&cluster, objects.collect()).await;
    }
    let settings = ScanSettings::default();
    let mut scan = scan_with(cluster.api.client(), Remembering::willing(), Standard::OpenReports, &settings);
    for round in ["first", "second"] {
        forget_peak();
        let finished = scan.another_round().await;
        let peak = peak_megabytes();
        println!("{round} round: {:.1} s, at most {peak} MB: {}", finished.took.as_secs_f32(), finished.counts);
        let Finished { counts, took, .. } = finished;
        assert_eq!(counts.judged, u64::try_from(COUNT).unwrap());
        assert!(took < Duration::from_mins(1) && peak < 200, "{took:?}, {peak} MB");
    }
}

/// From here on the highest resident memory is counted anew.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
