//! The released program in a cluster, as its users have it: replicas as processes, tied to a real API server, behind one
//! address. What the parts do each by itself is tested where they are.

mod commands;
mod front;
mod policies;
mod replica;
mod replicas;
mod scene;
mod told;
