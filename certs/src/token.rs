//! The random tokens of the registered webhook path, and until when each is taken. Which path carries them is the
//! server's business; when a new one comes is the rotation's.
//!
//! A token is announced before it is registered, as a CA is: every replica must know it before the API server uses it,
//! and a replica learns it when its mount is refreshed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use subtle::{Choice, ConstantTimeEq};

use crate::file::{self, FileError, Secrecy};
use crate::folder::CertificateFolder;
use crate::random::{RandomnessUnavailable, random_bytes};

/// The tokens taken at one moment. Load it again with each poll: a request is judged without a clock.
#[derive(Clone)]
pub struct PathTokens {
    current: Token,
    accepted: Vec<Token>,
}

impl PathTokens {
    /// Reads the folder's `tokens` file as it is to be understood at `now`.
    ///
    /// # Errors
    /// When the file is missing, empty, open to others or damaged, and when it holds none for now.
    pub fn load(folder: &CertificateFolder, now: Timestamp) -> Result<Self, TokenError> {
        let path = folder.tokens();
        let log = TokenLog::parse(&file::read(&path, Secrecy::Secret)?, &path)?;
        let current = log.current(now).ok_or_else(|| log.none_yet(path))?.token.clone();
        Ok(Self { current, accepted: log.accepted(now).cloned().collect() })
    }

    /// Whether `candidate`, a path segment from outside, is a token in force. Takes the same time whichever byte is
    /// wrong and however many tokens there are; only its length shows.
    pub fn accepts(&self, candidate: &str) -> bool {
        let equal = |token: &Token| token.0.as_bytes().ct_eq(candidate.as_bytes());
        self.accepted.iter().fold(Choice::from(0), |found, token| found | equal(token)).into()
    }

    /// The token to register, 64 lower-case hexadecimal digits (32 random bytes).
    pub fn current(&self) -> &str {
        &self.current.0
    }
}

impl fmt::Debug for PathTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PathTokens({} accepted, hidden)", self.accepted.len())
    }
}

/// 32 random bytes as lower-case hexadecimal digits: an API server takes no capitals and no underscores in the path of
/// a registration that names a Service.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn new() -> Result<Self, RandomnessUnavailable> {
        Ok(Self(hex::encode(random_bytes::<32>()?)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Token {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_ours = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_ours { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

/// The `tokens` file: oldest first, one a line, `TOKEN REGISTERED-FROM [TAKEN-UNTIL]`, times as RFC 3339. All are taken
/// from the moment they stand there.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct TokenLog(Vec<TokenEntry>);

/// One line of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenEntry {
    pub(crate) token: Token,
    pub(crate) registered_from: Timestamp,
    pub(crate) taken_until: Option<Timestamp>,
}

impl TokenLog {
    /// Reads the text; `path` is for the error.
    pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Self, TokenError> {
        let malformed = |line| TokenError::Malformed { path: path.to_owned(), line };
        let text = std::str::from_utf8(bytes).map_err(|_| malformed(1))?;
        let entries = text.lines().zip(1..).map(|(line, number)| entry(line).ok_or_else(|| malformed(number)));
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// The one to register at `now`: the newest whose time has come.
    pub(crate) fn current(&self, now: Timestamp) -> Option<&TokenEntry> {
        self.0.iter().rev().find(|entry| entry.registered_from <= now)
    }

    /// The newest, registered or announced.
    pub(crate) fn newest(&self) -> Option<&TokenEntry> {
        self.0.last()
    }

    /// The first change of what is taken: when a token ends.
    pub(crate) fn next_end(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(|entry| entry.taken_until).min()
    }

    /// Why there is none to register; it reads the same from one look to the next.
    fn none_yet(&self, path: PathBuf) -> TokenError {
        match self.0.iter().map(|entry| entry.registered_from).min() {
            Some(from) => TokenError::NoneYet { path, from },
            None => TokenError::Empty { path },
        }
    }

    fn accepted(&self, now: Timestamp) -> impl Iterator<Item = &Token> {
        let in_force = move |entry: &&TokenEntry| entry.taken_until.is_none_or(|until| now < until);
        self.0.iter().filter(in_force).map(|entry| &entry.token)
    }

    /// With a new token to be registered at `registered_from`; the others are taken until `others_until`.
    pub(crate) fn announce(mut self, token: Token, registered_from: Timestamp, others_until: Timestamp) -> Self {
        for entry in &mut self.0 {
            entry.taken_until.get_or_insert(others_until);
        }
        self.0.push(TokenEntry { token, registered_from, taken_until: None });
        self
    }

    /// Without those that have ended.
    pub(crate) fn without_ended(mut self, now: Timestamp) -> Self {
        self.0.retain(|entry| entry.taken_until.is_none_or(|until| now < until));
        self
    }
}

impl fmt::Display for TokenLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.0 {
            write!(f, "{} {}", entry.token.as_str(), entry.registered_from)?;
            match entry.taken_until {
                Some(until) => writeln!(f, " {until}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

fn entry(line: &str) -> Option<TokenEntry> {
    let mut words = line.split(' ');
    let token = words.next()?.parse().ok()?;
    let registered_from = words.next()?.parse().ok()?;
    let taken_until = words.next().map(str::parse).transpose().ok()?;
    words.next().is_none().then_some(TokenEntry { token, registered_from, taken_until })
}

/// Why the tokens can't be used. None of the messages holds a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line that is no token.
    #[error("line {line} of {} is damaged; remove the file and renew, then register the new path", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// No token at all: the file is made whole, so somebody emptied it.
    #[error("{} is empty; renew, and the token that is registered is taken again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// No token to register.
    #[error("{} holds no token for a time before {from}; check the clock or renew", path.display())]
    NoneYet {
        /// The file.
        path: PathBuf,
        /// When the first begins.
        from: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "2030-01-01T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn tokens(accepted: &[&Token]) -> PathTokens {
        PathTokens { current: accepted[0].clone(), accepted: accepted.iter().map(|token| (*token).clone()).collect() }
    }

    #[test]
    fn a_token_is_32_bytes_in_digits_that_a_services_path_may_have() {
        let token = Token::new().unwrap();
        assert_eq!(hex::decode(token.as_str()).unwrap().len(), 32);
        assert_eq!(token.as_str(), token.as_str().to_lowercase());
    }

    #[test]
    fn takes_every_token_in_force() {
        let (old, new) = (Token::new().unwrap(), Token::new().unwrap());
        let tokens = tokens(&[&old, &new]);
        assert!(tokens.accepts(old.as_str()));
        assert!(tokens.accepts(new.as_str()));
    }

    #[test]
    fn refuses_a_token_with_one_other_byte_wherever_it_is() {
        let token = Token::new().unwrap();
        let tokens = tokens(&[&token]);
        for position in 0..64 {
            let mut wrong = token.as_str().to_owned().into_bytes();
            wrong[position] = if wrong[position] == b'0' { b'1' } else { b'0' };
            assert!(!tokens.accepts(std::str::from_utf8(&wrong).unwrap()), "byte {position}");
        }
    }

    #[test]
    fn refuses_the_empty_the_longer_and_the_cut_token() {
        let token = Token::new().unwrap();
        let tokens = tokens(&[&token]);
        assert!(!tokens.accepts(""));
        assert!(!tokens.accepts(&token.as_str()[..63]));
        assert!(!tokens.accepts(&format!("{}A", token.as_str())));
    }

    #[test]
    fn debug_output_hides_the_tokens() {
        let token = Token::new().unwrap();
        assert!(!format!("{:?}", tokens(&[&token])).contains(token.as_str()));
    }

    #[test]
    fn its_file_reads_back_as_it_was_written() {
        let first = TokenLog::default().announce(Token::new().unwrap(), at(NOON), at(NOON));
        let both = first.announce(Token::new().unwrap(), at("2030-01-02T12:00:00Z"), at("2030-01-03T12:00:00Z"));
        assert!(TokenLog::parse(both.to_string().as_bytes(), Path::new("tokens")).unwrap() == both);
    }

    #[test]
    fn an_announced_token_is_taken_before_it_is_current() {
        let first = TokenLog::default().announce(Token::new().unwrap(), at(NOON), at(NOON));
        let both =
            first.clone().announce(Token::new().unwrap(), at("2030-01-02T12:00:00Z"), at("2030-01-03T12:00:00Z"));
        assert!(both.current(at(NOON)).unwrap().token == first.newest().unwrap().token);
        assert_eq!(both.accepted(at(NOON)).count(), 2);
    }

    #[test]
    fn an_ended_token_is_not_taken_even_before_it_is_removed() {
        let first = TokenLog::default().announce(Token::new().unwrap(), at(NOON), at(NOON));
        let both = first.announce(Token::new().unwrap(), at("2030-01-02T12:00:00Z"), at("2030-01-03T12:00:00Z"));
        let taken: Vec<_> = both.accepted(at("2030-01-03T12:00:00Z")).collect();
        assert!(taken == [&both.newest().unwrap().token]);
    }

    #[test]
    fn names_the_line_that_is_damaged() {
        let good = TokenLog::default().announce(Token::new().unwrap(), at(NOON), at(NOON)).to_string();
        for bad in ["short 2030-01-01T12:00:00Z", "", "x", &good.trim_end().replace("2030", "then")] {
            let damaged = format!("{good}{bad}\n");
            assert!(
                matches!(
                    TokenLog::parse(damaged.as_bytes(), Path::new("tokens")),
                    Err(TokenError::Malformed { line: 2, .. })
                ),
                "{bad}"
            );
        }
    }
}
