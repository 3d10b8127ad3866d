//! The list of what was pinned here, kept as an annotation of the template. It names the digest too: a digest that
//! somebody else wrote in its place is theirs, and no restart moves it.

use portreeve_sdk::view::Pod;
use portreeve_sdk::{Verdict, pointer};

use super::place::Place;

/// `NAME@DIGEST` for each container, `volume/NAME@DIGEST` for each image volume, separated by commas.
const ANNOTATION: &str = "portreeve.dev/pinned-images";

/// The list as it stands, and as it should.
pub(super) struct Pinned<'a> {
    written: Option<&'a str>,
    entries: Vec<String>,
}

impl<'a> Pinned<'a> {
    pub(super) fn read(pod: &'a Pod) -> Self {
        Self { written: pod.annotation(ANNOTATION), entries: Vec::new() }
    }

    /// Whether the list as it stands says that the place was given this digest here.
    pub(super) fn has(&self, place: &Place<'_>, digest: &str) -> bool {
        let entry = entry(place, digest);
        self.written.is_some_and(|written| written.split(',').any(|one| one.trim() == entry))
    }

    /// The list should say that the place was given this digest here.
    pub(super) fn note(&mut self, place: &Place<'_>, digest: &str) {
        if place.can_be_restarted() {
            self.entries.push(entry(place, digest));
        }
    }

    /// Brings the annotation up to date, if it is not.
    pub(super) fn write(self, verdict: &mut Verdict) {
        let at = pointer::child("/metadata/annotations", ANNOTATION);
        let list = self.entries.join(",");
        match self.written {
            Some(_) if list.is_empty() => verdict.remove("unpinned", at),
            None if list.is_empty() => {}
            Some(written) if written == list => {}
            _ => verdict.set("unpinned", at, list),
        }
    }
}

fn entry(place: &Place<'_>, digest: &str) -> String {
    [&place.name(), "@", digest].concat()
}
