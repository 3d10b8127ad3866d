//! Whether an API server would take an object's metadata. What comes from one needs no look; what comes from files
//! does.

use super::Metadata;
use super::names::{is_dns_label, is_dns_name, is_label_key};
use super::selector::{SelectorError, check_label};

/// How objects of a kind are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// By a DNS label, as Namespaces are.
    Label,
    /// By a DNS name, whose labels have dots between them, as most objects are.
    Name,
}

/// Metadata that no API server would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A name that no object of the kind has.
    #[error(
        "metadata.name: {name:?} is no name: write lower-case letters and digits, with {between} between them, and {most} \
             of them at most"
    )]
    Name {
        /// The name.
        name: String,
        /// What may stand in it beside.
        between: &'static str,
        /// How long it may be.
        most: usize,
    },
    /// A name that no namespace has.
    #[error(
        "metadata.namespace: {0:?} is no name of a namespace: write lower-case letters and digits, with - between them, \
             and 63 of them at most"
    )]
    Namespace(String),
    /// A label that no object has.
    #[error("metadata.labels: {0}")]
    Label(#[source] SelectorError),
    /// A key that no annotation has.
    #[error(
        "metadata.annotations: {0:?} is no key: begin and end with a letter or a digit, write nothing else between but \
             - _ . and 63 of them at most; a domain and a / may stand before it"
    )]
    Annotation(String),
}

impl Metadata {
    /// Checks what the types can't say.
    ///
    /// # Errors
    /// The first thing that an API server would refuse.
    pub fn check(&self, naming: Naming) -> Result<(), MetadataError> {
        if !naming.takes(&self.name) {
            let (between, most) = naming.told();
            return Err(MetadataError::Name { name: self.name.clone(), between, most });
        }
        if let Some(namespace) = self.namespace.as_ref().filter(|namespace| !is_dns_label(namespace)) {
            return Err(MetadataError::Namespace(namespace.clone()));
        }
        self.labels.iter().try_for_each(|(key, value)| check_label(key, [value])).map_err(MetadataError::Label)?;
        // Capitals may stand in the domain of an annotation, unlike in that of a label.
        match self.annotations.keys().find(|key| !is_label_key(&key.to_lowercase())) {
            Some(key) => Err(MetadataError::Annotation(key.clone())),
            None => Ok(()),
        }
    }
}

impl Naming {
    fn takes(self, name: &str) -> bool {
        match self {
            Self::Label => is_dns_label(name),
            Self::Name => is_dns_name(name),
        }
    }

    /// What may stand between letters and digits, and how long a name may be.
    fn told(self) -> (&'static str, usize) {
        match self {
            Self::Label => ("-", 63),
            Self::Name => ("- and .", 253),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(naming: Naming, change: impl FnOnce(&mut Metadata)) -> Result<(), MetadataError> {
        let mut metadata = Metadata { name: "web".to_owned(), ..Metadata::default() };
        change(&mut metadata);
        metadata.check(naming)
    }

    #[test]
    fn names_are_those_of_the_kind() {
        for (naming, name, fits) in [
            (Naming::Label, "shop", true),
            (Naming::Label, "a.b", false),
            (Naming::Name, "a.b", true),
            (Naming::Name, "B x", false),
            (Naming::Name, "a\nb", false),
            (Naming::Name, "", false),
        ] {
            assert_eq!(checked(naming, |metadata| metadata.name = name.to_owned()).is_ok(), fits, "{name:?}");
        }
        let too_long = "a".repeat(300);
        let error = checked(Naming::Name, |metadata| metadata.name = too_long.clone()).unwrap_err();
        assert_eq!(error, MetadataError::Name { name: too_long, between: "- and .", most: 253 });
    }

    #[test]
    fn a_namespace_a_label_and_an_annotation_are_looked_at() {
        let error = checked(Naming::Name, |metadata| metadata.namespace = Some("A B".to_owned())).unwrap_err();
        assert_eq!(error, MetadataError::Namespace("A B".to_owned()));
        let label = |metadata: &mut Metadata| drop(metadata.labels.insert("a".to_owned(), "x y".to_owned()));
        assert!(matches!(checked(Naming::Name, label), Err(MetadataError::Label(_))));
        let annotation = |key: &'static str| {
            move |metadata: &mut Metadata| drop(metadata.annotations.insert(key.to_owned(), "x y".to_owned()))
        };
        assert!(checked(Naming::Name, annotation("Example.com/Note")).is_ok());
        assert_eq!(checked(Naming::Name, annotation("a b")), Err(MetadataError::Annotation("a b".to_owned())));
    }
}
