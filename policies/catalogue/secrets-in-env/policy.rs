//! Secrets don't stand in manifests: neither as values of variables nor in commands and arguments, those of probes and
//! lifecycle hooks among them. What is a secret by its
//! looks is told in `shape`, what is one by its name in `name`, what only stands for one in `placeholder`, where texts
//! stand in `literal`.
//!
//! No value ever leaves this policy: a finding says where it stands and what it looks like, and names a variable only
//! if the name holds nothing of the value.

mod about;
mod base64;
mod connection;
mod jwt;
mod key;
mod literal;
mod login;
mod name;
mod placeholder;
mod settings;
mod shape;
mod token;

use portreeve_sdk::glob::Glob;
use portreeve_sdk::view::{Container, Variable};
use portreeve_sdk::{Can, Case, Manifest, Policy, SettingsError, Stop, Verdict};

use self::literal::{Assigned, arguments, assignments, beside, variables};
use self::name::{Called, called, is_secret};
use self::settings::Arguments;
pub(crate) use self::settings::Settings;
use self::shape::{Secret, Shape, find};

/// So many characters of a secret in a row tell too much of it.
const TELLING: usize = 6;
/// The longest name that is told, in bytes. Nobody reads more, and to look for each part of it takes its time.
const LONGEST_TOLD: usize = 256;
const REMEDY_VARIABLE: &str = "keep it in a Secret, name that with valueFrom.secretKeyRef, and issue a new one: this one \
                               is known to all who can read the manifest";
const REMEDY_ARGUMENT: &str = "keep it in a Secret, take it into a variable with valueFrom.secretKeyRef, write \
                               $(VARIABLE) in its place, and issue a new one: this one is known to all who can read the \
                               manifest";
/// The kubelet fills no variable of a Secret into what probes and hooks run. Source: `ExpandContainerCommandOnlyStatic`
/// in Kubernetes' `pkg/kubelet/container`.
const REMEDY_EXEC: &str = "keep it in a Secret, take it into a variable with valueFrom.secretKeyRef, let a shell run the \
                           command with \"$VARIABLE\" in its place, and issue a new one: this one is known to all who \
                           can read the manifest";

/// The policy.
pub(crate) struct SecretsInEnv {
    settings: Settings,
}

/// Where a text stands.
struct Place<'a> {
    container: &'a Container,
    kind: Kind,
    /// Into the template.
    pointer: String,
}

/// What a text is to its container.
#[derive(Clone, Copy)]
enum Kind {
    Variable,
    Argument,
    /// An argument of what the kubelet runs in the container besides.
    Exec,
}

impl Policy for SecretsInEnv {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest {
            title: "No secrets in manifests",
            description: "Passwords, keys and tokens do not stand in variables, commands and arguments, where everybody \
                          who can read a manifest reads them. They are found by their looks and by their names, and \
                          never repeated.",
            can: Can::VALIDATE,
            schema: include_str!("schema.json"),
            controls: &["CC6.1", "CC6.7", "C1.1"],
            ..Manifest::new("secrets-in-env", "1.0.0")
        }
    }

    fn configure(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { settings })
    }

    fn evaluate(&self, case: &Case<'_>) -> Result<Verdict, Stop> {
        let mut verdict = Verdict::default();
        for (container, program) in case.programs() {
            self.judge_variables(container, &program.env, &mut verdict);
            if self.settings.arguments == Arguments::Judge {
                for (list, words) in [("/command", &program.command), ("/args", &program.args)] {
                    self.judge_arguments(container, (Kind::Argument, list), words, &mut verdict);
                }
                for (list, words) in beside(case, container) {
                    self.judge_arguments(container, (Kind::Exec, &list), &words, &mut verdict);
                }
            }
        }
        Ok(verdict)
    }
}

impl SecretsInEnv {
    fn judge_variables(&self, container: &Container, env: &[Variable], verdict: &mut Verdict) {
        for variable in variables(env).filter(|variable| !self.settings.allows(container, variable.name)) {
            if let Some(secret) = self.by_looks(variable.text).or_else(|| self.by_name(&variable)) {
                let pointer = container.field(&format!("/env/{}/value", variable.index));
                let place = Place { container, kind: Kind::Variable, pointer };
                place.tell(Some(variable.name), &secret, verdict);
            }
        }
    }

    fn judge_arguments(&self, container: &Container, list: (Kind, &str), words: &[String], verdict: &mut Verdict) {
        let (kind, list) = list;
        let place = |index| Place { container, kind, pointer: container.field(&format!("{list}/{index}")) };
        let assigned = assignments(words);
        // Both are in the order of the list, so that one walk does for long ones too.
        let mut groups = assigned.chunk_by(|one, next| one.index == next.index).peekable();
        for (index, text) in arguments(words) {
            let is_here = |group: &&[Assigned<'_>]| group.first().is_some_and(|one| one.index == index);
            let here = groups.next_if(is_here).unwrap_or_default();
            let mut names = here.iter().map(|one| one.name).chain([""]);
            if names.any(|name| self.settings.allows(container, name)) {
                continue;
            }
            let by_name = || here.iter().find_map(|one| Some((one.name, self.by_name(one)?)));
            if let Some(secret) = self.by_looks(text) {
                place(index).tell(None, &secret, verdict);
            } else if let Some((name, secret)) = by_name() {
                place(index).tell(Some(name), &secret, verdict);
            }
        }
    }

    fn by_looks<'t>(&self, text: &'t str) -> Option<Secret<'t>> {
        let listed = || Glob::any(&self.settings.values, text).then_some(Secret { shape: Shape::Listed, part: text });
        let placeholders = self.settings.placeholders;
        find(text, placeholders).or_else(|| listed().filter(|_| !placeholders.hold(text)))
    }

    fn by_name<'t>(&self, assigned: &Assigned<'t>) -> Option<Secret<'t>> {
        let listed = Glob::any(&self.settings.names, assigned.name).then_some(Called::Secret);
        let called = listed.or_else(|| called(assigned.name))?;
        is_secret(called, assigned.text, &self.settings).then_some(Secret { shape: Shape::Named, part: assigned.text })
    }
}

impl Place<'_> {
    fn tell(self, name: Option<&str>, secret: &Secret<'_>, verdict: &mut Verdict) {
        let name = name.filter(|name| !shares_run(name, secret.part));
        let (holder, remedy) = match self.kind {
            Kind::Variable => ("variable", REMEDY_VARIABLE),
            Kind::Argument => ("argument", REMEDY_ARGUMENT),
            Kind::Exec => ("argument", REMEDY_EXEC),
        };
        let of = name.map_or(format!("one {holder}"), |name| format!("the {holder} {name:?}"));
        verdict
            .violation(secret.shape.rule())
            .container(self.container)
            .at(self.pointer)
            .says(format!("container {:?} has {} written out in {of}", self.container.name, secret.shape))
            .mend(remedy);
    }
}

/// Whether a name holds so much of a secret that it can't be told, or is too long to be looked through for it.
fn shares_run(name: &str, secret: &str) -> bool {
    if name.len() > LONGEST_TOLD {
        return true;
    }
    let characters: Vec<char> = name.chars().collect();
    characters.windows(TELLING).any(|run| secret.contains(&run.iter().collect::<String>()))
}

#[cfg(test)]
mod tests;
