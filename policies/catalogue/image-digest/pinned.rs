//! The list of what was pinned here, kept as an annotation of the template: a digest that somebody else wrote is theirs,
//! and no restart moves it.

use portreeve_sdk::view::Pod;
use portreeve_sdk::{Verdict, pointer};

use super::place::Place;

/// Names of containers, and of image volumes as `volume/NAME`, separated by commas.
const ANNOTATION: &str = "portreeve.dev/pinned-images";

/// The list as it stands, and as it should.
pub(super) struct Pinned<'a> {
    written: Option<&'a str>,
    names: Vec<String>,
}

impl<'a> Pinned<'a> {
    pub(super) fn read(pod: &'a Pod) -> Self {
        Self { written: pod.annotation(ANNOTATION), names: Vec::new() }
    }

    /// Whether the list as it stands names this place.
    pub(super) fn names(&self, place: &Place<'_>) -> bool {
        self.written.is_some_and(|written| written.split(',').any(|name| name.trim() == place.name))
    }

    /// The list should name this place.
    pub(super) fn note(&mut self, place: &Place<'_>) {
        if place.can_be_restarted() {
            self.names.push(place.name.to_string());
        }
    }

    /// Brings the annotation up to date, if it is not.
    pub(super) fn write(self, verdict: &mut Verdict) {
        let at = pointer::child("/metadata/annotations", ANNOTATION);
        let names = self.names.join(",");
        match self.written {
            Some(_) if names.is_empty() => verdict.remove("unpinned", at),
            None if names.is_empty() => {}
            Some(written) if written == names => {}
            _ => verdict.set("unpinned", at, names),
        }
    }
}
