//! The cluster that a test has, under the name that the tests here have for it.

pub(crate) use portreeve_control_plane::cluster::Cluster;
