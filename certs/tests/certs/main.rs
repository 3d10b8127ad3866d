//! The crate from outside, in one binary: real handshakes, real files, a clock that the tests hold.

#[cfg(test)]
mod asked;
#[cfg(test)]
mod authority;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod wire;
