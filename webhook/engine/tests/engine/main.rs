//! The engine from outside: well-behaved and hostile guests through its public face.

mod cache;
mod cases;
mod circuit;
mod containment;
mod evaluation;
mod guests;
mod limits;
mod loading;
