//! Names of Linux capabilities, as runtimes read them.

/// `NET_ADMIN` for `cap_net_admin`. Runtimes take small letters for capitals, and CRI-O names with `CAP_` too. Source:
/// `WithCapabilities` in containerd's `internal/cri/opts`, `setupCapabilities` in CRI-O's `server`.
pub(crate) fn canonical(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    upper.strip_prefix("CAP_").map(str::to_owned).unwrap_or(upper)
}
