//! What waits to be sent: so many spans and no more, whatever the collector does. What does not fit is dropped; all is
//! counted. Batches and the thread that sends them are the library's.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

/// What became of spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// The collector took them.
    pub taken: u64,
    /// There was no room for them to wait.
    pub dropped: u64,
    /// The collector could not be reached, or refused them.
    pub failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    waiting: AtomicUsize,
    taken: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// Sends spans by this exporter, of which so many may wait.
pub(super) fn bounded(exporter: impl SpanExporter + 'static, most: NonZeroU32, counts: &Arc<Counts>) -> Bounded {
    let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
    let exporter = Counted { exporter, counts: Arc::clone(counts), failing: AtomicBool::new(false) };
    let batches = BatchConfigBuilder::default().with_max_queue_size(most).build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    Bounded { processor, most, counts: Arc::clone(counts) }
}

impl Counts {
    pub(super) fn sent(&self) -> Sent {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Sent { taken: count(&self.taken), dropped: count(&self.dropped), failed: count(&self.failed) }
    }

    /// Whether there was room for one more.
    fn may_wait(&self, most: usize) -> bool {
        let room = self.waiting.fetch_add(1, Ordering::Relaxed) < most;
        if !room {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        room
    }
}

/// The library's queue, which counts nothing, behind one that does and is never larger.
#[derive(Debug)]
pub(super) struct Bounded {
    processor: BatchSpanProcessor,
    most: usize,
    counts: Arc<Counts>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.counts.may_wait(self.most) {
            self.processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// An exporter whose batches wait no more once it is done with them.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    counts: Arc<Counts>,
    failing: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        self.counts.waiting.fetch_sub(spans, Ordering::Relaxed);
        let counter = if sent.is_ok() { &self.counts.taken } else { &self.counts.failed };
        counter.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.tell(&sent);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E> Counted<E> {
    /// Says once that it fails, and once that it does no more.
    fn tell(&self, sent: &OTelSdkResult) {
        let failed = self.failing.swap(sent.is_err(), Ordering::Relaxed);
        match sent {
            Err(error) if !failed => tracing::warn!(%error, "traces can't be sent; spans are lost, and counted"),
            Ok(()) if failed => tracing::info!("traces are sent again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// A collector that answers when it is told what.
    #[derive(Debug)]
    struct Slow(Mutex<Receiver<OTelSdkResult>>);

    impl SpanExporter for Slow {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().recv().unwrap_or(Err(OTelSdkError::AlreadyShutdown))
        }
    }

    fn provider(most: u32, counts: &Arc<Counts>) -> (SdkTracerProvider, SyncSender<OTelSdkResult>) {
        let (answer, answers) = sync_channel(8);
        let processor = bounded(Slow(Mutex::new(answers)), NonZeroU32::new(most).unwrap(), counts);
        (SdkTracerProvider::builder().with_span_processor(processor).build(), answer)
    }

    fn end_spans(provider: &SdkTracerProvider, count: usize) {
        (0..count).for_each(|_| provider.tracer("test").start("span").end());
    }

    #[test]
    fn what_does_not_fit_is_dropped_at_once_and_counted() {
        let counts = Arc::default();
        let (provider, answer) = provider(3, &counts);
        end_spans(&provider, 10);
        assert_eq!(counts.sent(), Sent { taken: 0, dropped: 7, failed: 0 });
        answer.send(Ok(())).unwrap();
        provider.force_flush().unwrap();
        assert_eq!(counts.sent(), Sent { taken: 3, dropped: 7, failed: 0 });
        end_spans(&provider, 3);
        assert_eq!(counts.sent().dropped, 7);
    }

    #[test]
    fn what_the_collector_does_not_take_is_counted() {
        let counts = Arc::default();
        let (provider, answer) = provider(3, &counts);
        end_spans(&provider, 2);
        answer.send(Err(OTelSdkError::InternalFailure("away".to_owned()))).unwrap();
        assert!(provider.force_flush().is_err());
        assert_eq!(counts.sent(), Sent { taken: 0, dropped: 0, failed: 2 });
    }
}
