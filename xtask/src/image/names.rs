//! What the program talks to while it is tried: a name server that knows one name, and a registry that has nothing and
//! notes by which name it was asked. Both listen on loopback, each in a thread that ends with this process.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};

/// An address of loopback that no other name server is likely to have.
pub(super) const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(127, 65, 53, 2);
/// The only port that a file of name servers can say (resolv.conf(5)).
const PORT: u16 = 53;

/// A registry without images.
pub(super) struct Registry {
    /// Where it listens, on loopback.
    pub(super) port: u16,
    asked: Receiver<String>,
}

/// Whether there is a name server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameServer {
    /// It answers.
    Listens,
    /// This process may not listen on the port.
    Forbidden,
}

/// Starts a name server at [`NAME_SERVER`] that has an address for this one name, that of loopback.
pub(super) fn answer(name: &str) -> std::io::Result<NameServer> {
    let socket = match UdpSocket::bind((NAME_SERVER, PORT)) {
        Ok(socket) => socket,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(NameServer::Forbidden),
        Err(error) => return Err(error),
    };
    let name = in_labels(name);
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            // One that is not understood is not answered, as if it was lost.
            if let Some(reply) = query.get(..length).and_then(|query| reply(query, &name)) {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    Ok(NameServer::Listens)
}

/// A name as RFC 1035 sends it: each label after its length, and a zero.
fn in_labels(name: &str) -> Vec<u8> {
    let label = |label: &str| [&[u8::try_from(label.len()).unwrap_or(u8::MAX)], label.as_bytes()].concat();
    name.split('.').flat_map(label).chain([0]).collect()
}

/// The reply to a query of one question (RFC 1035, section 4.1): an address of IPv4 for the name, none of another kind,
/// and for another name that there is no such name.
fn reply(query: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const ADDRESS: [u8; 2] = [0, 1];
    let (id, question) = (query.get(..2)?, query.get(HEADER..)?);
    let end = question.iter().position(|byte| *byte == 0)?.checked_add(1)?;
    let (asked, kind) = (question.get(..end)?, question.get(end..end.checked_add(4)?)?);
    let known = asked.eq_ignore_ascii_case(name);
    let answers = u8::from(known && kind.starts_with(&ADDRESS));
    // A response, recursion desired and available; 3 is "no such name".
    let flags = [0x81, if known { 0x80 } else { 0x83 }];
    let mut reply = [id, &flags, &[0, 1, 0, answers, 0, 0, 0, 0], asked, kind].concat();
    if answers > 0 {
        // The name as it stands in the question, an address in the class of the internet, for no time, of four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(Ipv4Addr::LOCALHOST.octets());
    }
    Some(reply)
}

impl Registry {
    /// Starts it.
    pub(super) fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))?;
        let port = listener.local_addr()?.port();
        let (note, asked) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // Whoever hangs up is not interested any more.
                let _ = refuse(connection, &note);
            }
        });
        Ok(Self { port, asked })
    }

    /// The hosts that it was asked for so far, each as the client wrote it.
    pub(super) fn asked_for(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

/// Reads the head of a request, notes its host and says that there is nothing.
fn refuse(mut connection: TcpStream, note: &Sender<String>) -> std::io::Result<()> {
    for line in BufReader::new(&connection).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((_, host)) = line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("host")) {
            let _ = note.send(host.to_owned());
        }
    }
    connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query as a resolver sends it, for a name and a kind of record.
    fn query(name: &str, kind: u8) -> Vec<u8> {
        [&[7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], in_labels(name).as_slice(), &[0, kind, 0, 1]].concat()
    }

    fn answered(name: &str, kind: u8) -> Vec<u8> {
        reply(&query(name, kind), &in_labels("known.test")).unwrap()
    }

    #[test]
    fn the_name_that_it_knows_has_the_address_of_loopback() {
        let reply = answered("Known.test", 1);
        assert_eq!((&reply[..4], reply[7]), (&[7, 9, 0x81, 0x80][..], 1));
        assert!(reply.ends_with(&[0, 4, 127, 0, 0, 1]));
    }

    #[test]
    fn it_has_no_address_of_another_kind_and_no_other_name() {
        let (other_kind, other_name) = (answered("known.test", 28), answered("unknown.test", 1));
        assert_eq!((other_kind[3], other_kind[7]), (0x80, 0));
        assert_eq!((other_name[3], other_name[7]), (0x83, 0));
    }

    #[test]
    fn what_is_no_query_is_not_answered() {
        assert_eq!(reply(b"short", &in_labels("known.test")), None);
        assert_eq!(reply(&query("known.test", 1)[..20], &in_labels("known.test")), None);
    }

    #[test]
    fn the_registry_notes_by_which_name_it_was_asked() {
        let registry = Registry::start().unwrap();
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, registry.port)).unwrap();
        connection.write_all(b"GET /v2/ HTTP/1.1\r\nHost: known.test:5000\r\n\r\n").unwrap();
        let mut answer = String::new();
        BufReader::new(connection).read_line(&mut answer).unwrap();
        assert_eq!(
            (answer.as_str(), registry.asked_for()),
            ("HTTP/1.1 404 Not Found\r\n", vec!["known.test:5000".to_owned()])
        );
    }
}
