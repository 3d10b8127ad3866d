//! Certificates: a CA, its leaves, rotation with overlap, reloading.
