//! What can go wrong before a policy is in force: making the engine, loading a module. What goes wrong while one
//! runs is a `Failure` of `portreeve-admission`.

use std::error::Error;

use portreeve_admission::pointer::Pointer;
use portreeve_admission::verdict::Failure;

/// What another library had to say.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The runtime refuses to start, for want of memory as a rule.
    #[error("can't start the WebAssembly runtime: {0}; each evaluation at one time takes 4 GiB of address space")]
    Runtime(#[source] Source),
    /// The thread that keeps time can't be started.
    #[error("can't start the thread that keeps guests' time: {0}")]
    Ticker(#[source] std::io::Error),
}

/// Why a module can't be put in force.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing in it.
    #[error("the module is empty")]
    Empty,
    /// It is WebAssembly, but not a component.
    #[error("this is a core WebAssembly module, not a component; `portreeve policy build` makes components")]
    CoreModule,
    /// It is something else.
    #[error("this is not WebAssembly: it does not begin with \"\\0asm\"")]
    NotWebAssembly,
    /// It is larger than modules may be.
    #[error("the module has {bytes} bytes, and no more than {limit} are allowed")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// It does not compile.
    #[error("the component is not valid: {0}")]
    Invalid(#[source] Source),
    /// It asks for something that no policy gets.
    #[error("it imports {import:?}, which is not granted: a policy imports nothing but the contract's functions")]
    ImportNotGranted {
        /// As the component names it; for a function of the contract, `interface#function`.
        import: String,
    },
    /// It was built for a contract that this host does not speak.
    #[error("it was built for {found}, and this host serves {supported}: build it again with a current SDK")]
    UnknownContract {
        /// Package and version that it names.
        found: String,
        /// Package and version that is served.
        supported: &'static str,
    },
    /// It does not export what a policy exports.
    #[error("it exports no function {export:?}, as policies do: is it a policy?")]
    MissingExport {
        /// `describe`, `configure` or `evaluate`.
        export: &'static str,
    },
    /// A function has other types than the contract gives it.
    #[error("its functions do not have the contract's types: {0}")]
    WrongTypes(#[source] Source),
    /// It does not come to an end.
    #[error("it did not end within its time while {step}")]
    Deadline {
        /// What it was doing.
        step: Step,
    },
    /// Evaluations took all there was for as long as loading may take. It says nothing of the module.
    #[error("there was no turn for it to be configured: the server is busy")]
    NoTurn,
    /// It trapped, or went over a limit.
    #[error("it failed while {step}: {failure}")]
    Stopped {
        /// What it was doing.
        step: Step,
        /// What happened.
        failure: Failure,
    },
    /// What it says about one of its policies can't be.
    #[error("what it says about its policy {policy:?} can't be: {problem}")]
    Manifest {
        /// The policy.
        policy: String,
        /// What is wrong.
        problem: String,
    },
    /// Two instances go by one name.
    #[error("two instances have the id {id:?}")]
    DuplicateInstance {
        /// The name.
        id: String,
    },
    /// An instance of a policy that the module does not carry.
    #[error("{instance:?} is to be an instance of {policy:?}, but the module carries {}", known.join(", "))]
    NoSuchPolicy {
        /// The instance.
        instance: String,
        /// The policy that it names.
        policy: String,
        /// What the module carries.
        known: Vec<String>,
    },
    /// The policy refuses its settings.
    #[error("the settings of {instance:?} are refused at {:?}: {reason}", pointer.to_string())]
    Settings {
        /// The instance.
        instance: String,
        /// Where in the settings.
        pointer: Pointer,
        /// What is wrong there.
        reason: String,
    },
    /// It answered `configure` with too few or too many results.
    #[error("it was given {instances} instances to configure and answered for {answers}")]
    Answers {
        /// What it was given.
        instances: usize,
        /// What it answered.
        answers: usize,
    },
    /// The settings can't be written as canonical JSON: a number is beyond what JSON can carry exactly.
    #[error("the settings can't be written as canonical JSON: {0}")]
    NotCanonical(#[source] serde_json::Error),
    /// It can't be compiled for service.
    #[error("it can't be compiled: {0}")]
    Compile(#[source] Source),
}

impl LoadError {
    /// The instance that is to blame, if it is one.
    #[must_use]
    pub fn instance(&self) -> Option<&String> {
        match self {
            Self::NoSuchPolicy { instance, .. } | Self::Settings { instance, .. } => Some(instance),
            _ => None,
        }
    }
}

/// A step of loading that runs the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its start functions.
    Starting,
    /// `describe`.
    Describing,
    /// `configure`.
    Configuring,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Describing => "describing its policies",
            Self::Configuring => "configuring its policies",
        })
    }
}
