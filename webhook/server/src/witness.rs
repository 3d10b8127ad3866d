//! Somebody outside who is told what becomes of requests, such as whoever writes events. He is told after the answer is
//! decided and recorded, and nobody waits for him.

use portreeve_admission::decision::Decision;
use portreeve_admission::review::Review;

/// Somebody who is told.
pub trait Witness: Send + Sync {
    /// A request had violations, or could not be judged. Dry runs are not told. Must not wait for anything.
    fn saw(&self, review: &Review, decision: &Decision);

    /// How much of what he saw he told nobody, since there was no room for it.
    fn untold(&self) -> u64;
}
