//! The work of a round: pages are listed, their objects judged, what was found is reported, what is no longer said is
//! taken away. How far it is stands in `round` after each page, so that it may be broken off anywhere.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use kube::Client;
use kube::api::ListParams;
use portreeve_admission::kinds::Scope;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::kinds::{ScannedKind, kinds, try_list};
use super::object::{Head, JudgedAt, whole};
use super::pace::Pace;
use super::round::{Counts, Finished, Round};
use super::{Audience, Judge, ScanSettings};
use crate::discovery::DiscoveryError;
use crate::pages::{Page, PageError, page};
use crate::registration::Sought;
use crate::report::Written;
use crate::reports::{Noted, Report, Reports, ReportsError};

/// Reports that are being written at one time.
const WRITTEN_AT_ONCE: usize = 8;

/// The round under way, and what it is done with.
pub(super) struct Work<J> {
    client: Client,
    judge: J,
    reports: Reports,
    page: NonZeroU32,
    retry: Duration,
    pace: Pace,
    round: Option<Round>,
    reporting: Reporting,
    audience: Arc<dyn Audience>,
}

/// Whether reports could be read when a round last began. People are told when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reporting {
    Possible,
    Impossible,
}

/// Why a round can't go on for now.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Unknown(#[from] DiscoveryError),
    #[error("the objects of kind {kind} can't be listed")]
    Unlisted { kind: String, source: PageError },
    #[error(transparent)]
    Reports(#[from] ReportsError),
}

impl<J: Judge> Work<J> {
    pub(super) fn new(
        client: Client,
        judge: J,
        reports: Reports,
        settings: &ScanSettings,
        audience: Arc<dyn Audience>,
    ) -> Self {
        let pace = Pace::new(settings.per_second);
        let ScanSettings { page, retry, .. } = *settings;
        Self { client, judge, reports, page, retry, pace, round: None, reporting: Reporting::Possible, audience }
    }

    /// Another replica may have led meanwhile: reports are read again, and a round that began long ago is none.
    pub(super) fn resume(&mut self, long: Duration) {
        self.round.take_if(|round| round.began.elapsed() > long);
        if let Some(round) = &mut self.round {
            round.reports_may_have_changed();
        }
    }

    /// Tells of a round that is done.
    pub(super) fn tell(&self, finished: &Finished) {
        self.audience.finished(finished);
    }

    /// Whether a round is begun and not done.
    pub(super) fn is_under_way(&self) -> bool {
        self.round.is_some()
    }

    /// Goes on with the round under way, or begins one through what is sought, and does it. What fails is tried again.
    pub(super) async fn round(&mut self, sought: &Sought) -> Finished {
        loop {
            match self.go_on(sought).await {
                Ok(finished) => return finished,
                Err(error) => {
                    tracing::warn!(error = crate::with_causes(&error), "the scan waits, and goes on where it is");
                    self.audience.interrupted();
                    sleep(self.retry).await;
                }
            }
        }
    }

    async fn go_on(&mut self, sought: &Sought) -> Result<Finished, RoundError> {
        if self.round.is_none() {
            self.round = Some(self.begin(sought).await?);
        }
        self.read_reports().await?;
        while let Some((kind, asked)) = self.next_page() {
            let page = page(&self.client, &kind.api_resource(), &asked).await;
            self.take(&kind, page).await?;
        }
        self.sweep().await;
        let finished = self.round.take().map(Round::finished);
        Ok(finished.unwrap_or_default())
    }

    /// A round through what is sought and may be listed. Only to that what its controllers made can be left. A kind of
    /// which it can't be told now is tried again when its turn comes.
    async fn begin(&self, sought: &Sought) -> Result<Round, DiscoveryError> {
        let (mut listed, mut unlisted) = (Vec::new(), Vec::new());
        for kind in kinds(&self.client, sought).await? {
            match try_list(&self.client, &kind).await {
                Err(error @ PageError::Unlisted(_)) => {
                    tell_unlisted(&kind, &error);
                    unlisted.push(kind.kind);
                }
                Ok(()) | Err(_) => listed.push(kind),
            }
        }
        Ok(Round::of(listed, unlisted, sought.excluded().map(str::to_owned).collect()))
    }

    /// Reads which reports there are, unless that was done in this round already.
    async fn read_reports(&mut self) -> Result<(), RoundError> {
        let Some(round) = self.round.as_mut().filter(|round| round.reports_are_unknown()) else { return Ok(()) };
        let inventory = match self.reports.inventory().await {
            Ok(inventory) => Some(inventory),
            Err(error @ ReportsError::Unread { .. }) => return Err(error.into()),
            Err(error) => {
                if self.reporting == Reporting::Possible {
                    tracing::warn!(error = crate::with_causes(&error), "nothing is reported");
                }
                None
            }
        };
        self.reporting = if inventory.is_some() { Reporting::Possible } else { Reporting::Impossible };
        round.reports_are(inventory);
        Ok(())
    }

    /// What is listed next; none when all is done.
    fn next_page(&self) -> Option<(ScannedKind, ListParams)> {
        let round = self.round.as_ref()?;
        let (kind, continued) = round.place()?;
        let mut asked = ListParams::default().limit(self.page.get());
        if kind.scope == Scope::Namespaced {
            let but: Vec<String> = round.excluded().iter().map(|name| format!("metadata.namespace!={name}")).collect();
            asked.field_selector = Some(but.join(",")).filter(|selector| !selector.is_empty());
        }
        asked.continue_token = continued.map(str::to_owned);
        Some((kind.clone(), asked))
    }

    /// Takes a page, or what came in its place, and goes on to the next.
    async fn take(&mut self, kind: &ScannedKind, page: Result<Page, PageError>) -> Result<(), RoundError> {
        let Some(round) = &mut self.round else { return Ok(()) };
        match page {
            Ok(page) => {
                let looking = Looking { judge: &self.judge, reports: &self.reports, kind };
                let counts = looking.look(&page, round, &mut self.pace).await;
                round.turn(page.next, counts);
            }
            Err(PageError::Expired { instead }) => round.expired(instead),
            Err(error @ PageError::Unlisted(_)) => {
                tell_unlisted(kind, &error);
                round.skip_kind();
            }
            Err(error @ PageError::Failed(_)) if error.is_an_answer() && round.refused_too_often() => {
                tell_unlisted(kind, &error);
                round.skip_kind();
            }
            Err(source @ PageError::Failed(_)) => return Err(RoundError::Unlisted { kind: kind.to_string(), source }),
        }
        Ok(())
    }

    /// Takes away reports that nothing was said for.
    async fn sweep(&mut self) {
        let Some(round) = &mut self.round else { return };
        let Some(inventory) = round.inventory() else { return };
        let (removed, failed) = self.reports.sweep(inventory, round.unlisted()).await;
        let first = failed.first();
        if let Some(error) = first {
            tracing::warn!(error = crate::with_causes(error), "a report stays until the next round");
        }
        let failed = u64::try_from(failed.len()).unwrap_or(u64::MAX);
        round.count(Counts { removed, failed, ..Counts::default() });
    }
}

fn tell_unlisted(kind: &ScannedKind, error: &PageError) {
    let kind = kind.to_string();
    tracing::warn!(kind, error = crate::with_causes(error), "objects of this kind are not judged");
}

/// Looks at the objects of a page.
struct Looking<'a, J> {
    judge: &'a J,
    reports: &'a Reports,
    kind: &'a ScannedKind,
}

impl<J: Judge> Looking<'_, J> {
    async fn look(&self, page: &Page, round: &mut Round, pace: &mut Pace) -> Counts {
        let mut counts = Counts::default();
        let mut writing = FuturesUnordered::new();
        for object in &page.objects {
            let Some(report) = self.found(object, round.kinds(), pace, &mut counts).await else { continue };
            let Some(inventory) = round.inventory_mut() else { continue };
            match inventory.note(&report, self.reports.limits().reports) {
                Noted::AsBefore => counts.as_before += 1,
                Noted::TooMany => counts.left_out += 1,
                noted @ (Noted::New | Noted::Changed) => {
                    if writing.len() >= WRITTEN_AT_ONCE {
                        writing.next().await.into_iter().for_each(|written| settle(round, &mut counts, written));
                    }
                    writing.push(self.write(report, noted));
                }
            }
        }
        while let Some(written) = writing.next().await {
            settle(round, &mut counts, written);
        }
        counts
    }

    /// What is to be told of an object, if anything is.
    async fn found(
        &self,
        object: &RawValue,
        kinds: &[ScannedKind],
        pace: &mut Pace,
        counts: &mut Counts,
    ) -> Option<Report> {
        let Self { judge, reports, kind } = self;
        // The API server sends no object without a name and a uid.
        let head = Head::of(object).ok()?;
        let by = match head.judged_at(kind, kinds) {
            JudgedAt::Here => None,
            JudgedAt::HereBy(policies) => Some(policies),
            JudgedAt::Owner => {
                counts.owned += 1;
                return None;
            }
            JudgedAt::Nowhere => return None,
        };
        pace.turn().await;
        let mut judged = judge.judge(&whole(object, kind).ok()?, kind).await;
        if let Some(policies) = by {
            judged.keep(&policies);
        }
        counts.judged += 1;
        let report = Report::of(head.reference(kind), &judged, reports.limits())?;
        counts.telling += 1;
        Some(report)
    }

    async fn write(&self, report: Report, noted: Noted) -> Attempt {
        Attempt { name: report.name().to_owned(), came_to: self.reports.write(report, noted, Timestamp::now()).await }
    }
}

/// What became of a report that was to be written.
struct Attempt {
    name: String,
    came_to: Result<Written, ReportsError>,
}

fn settle(round: &mut Round, counts: &mut Counts, attempt: Attempt) {
    match attempt.came_to {
        Ok(Written::Changed) => counts.written += 1,
        Ok(Written::AsBefore) => {}
        Err(error) => {
            // Where one is refused all may be: the first is told.
            if !round.has_failed() && counts.failed == 0 {
                tracing::warn!(error = crate::with_causes(&error), "it is tried again in the next round");
            }
            counts.failed += 1;
            if let Some(inventory) = round.inventory_mut() {
                inventory.forget(&attempt.name);
            }
        }
    }
}
