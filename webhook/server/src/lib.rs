//! The service: configuration, the way of a request, TLS endpoints, health and metrics.
