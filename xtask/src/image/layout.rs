//! The tree as an OCI image layout (<https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>), which
//! tools copy to a registry: one layer, with no times and no owners, so that one tree always has one digest. How it is
//! run stands here and in the `Dockerfile`, and a test compares the two.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::str::FromStr as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use oci_spec::image::{
    ANNOTATION_LICENSES, ANNOTATION_REF_NAME, ANNOTATION_SOURCE, ANNOTATION_TITLE, Arch, ConfigBuilder, Descriptor,
    ImageConfiguration, ImageConfigurationBuilder, ImageIndex, ImageIndexBuilder, ImageManifest, ImageManifestBuilder,
    MediaType, OciLayoutBuilder, Os, PlatformBuilder, RootFsBuilder, SCHEMA_VERSION, Sha256Digest,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::error::ImageError;
use super::tree::{self, Entry, Kind};
use crate::error::XtaskError;

/// By number, or a kubelet can't tell that it isn't root.
pub(super) const USER: u32 = 65532;
/// `/mutate` and `/validate`; `/livez`, `/readyz` and `/metrics`.
const PORTS: [u16; 2] = [8443, 8080];
/// What is run when nothing else is asked for.
const COMMAND: &str = "--help";
/// What people read of the image.
const LABELS: [(&str, &str); 3] = [
    (ANNOTATION_TITLE, "portreeve"),
    (ANNOTATION_LICENSES, env!("CARGO_PKG_LICENSE")),
    (ANNOTATION_SOURCE, env!("CARGO_PKG_REPOSITORY")),
];
/// The image in the layout is called by the version of the program.
const REFERENCE: &str = env!("CARGO_PKG_VERSION");

/// Writes the image of a tree into a folder, and answers its digest.
pub(super) fn write(tree: &Path, layout: &Path) -> Result<String, ImageError> {
    let archive = archive(tree)?;
    let blobs = Blobs(layout);
    let layer = blobs.write(MediaType::ImageLayerGzip, &compressed(&archive).map_err(unpacked(tree))?)?;
    let configuration = canonical(&configuration(&archive)?)?;
    let configuration = blobs.write(MediaType::ImageConfig, &configuration)?;
    let manifest = blobs.write(MediaType::ImageManifest, &canonical(&manifest(configuration, layer)?)?)?;
    let digest = manifest.digest().to_string();
    put(layout, "index.json", &canonical(&index(manifest)?)?)?;
    let version = OciLayoutBuilder::default().image_layout_version("1.0.0").build()?;
    put(layout, "oci-layout", &canonical(&version)?)?;
    Ok(digest)
}

/// The tree as a tar file: everything root's, of the first second of 1970.
fn archive(tree: &Path) -> Result<Vec<u8>, ImageError> {
    let mut archive = tar::Builder::new(Vec::new());
    for entry in tree::entries(tree)? {
        let contents = match entry.kind {
            Kind::Folder => Vec::new(),
            Kind::File { .. } => tree::read(&tree.join(&entry.path))?,
        };
        archive.append_data(&mut header(&entry), &entry.path, contents.as_slice()).map_err(unpacked(tree))?;
    }
    Ok(archive.into_inner().map_err(unpacked(tree))?)
}

fn header(entry: &Entry) -> Header {
    let mut header = Header::new_gnu();
    let (kind, size) = match entry.kind {
        Kind::Folder => (EntryType::Directory, 0),
        Kind::File { size } => (EntryType::Regular, size),
    };
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn compressed(archive: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(archive)?;
    encoder.finish()
}

fn unpacked(tree: &Path) -> impl Fn(std::io::Error) -> XtaskError {
    |error| XtaskError::Read { path: tree.to_owned(), error }
}

fn configuration(archive: &[u8]) -> Result<ImageConfiguration, ImageError> {
    let config = ConfigBuilder::default()
        .user(format!("{USER}:{USER}"))
        .exposed_ports(PORTS.map(|port| format!("{port}/tcp")).to_vec())
        .entrypoint(vec![format!("/{}", tree::PROGRAM)])
        .cmd(vec![COMMAND.to_owned()])
        .labels(LABELS.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<HashMap<_, _>>())
        .build()?;
    let layers =
        RootFsBuilder::default().typ("layers").diff_ids(vec![format!("sha256:{}", sha_256(archive))]).build()?;
    let image = ImageConfigurationBuilder::default().architecture(Arch::default()).os(Os::Linux);
    Ok(image.config(config).rootfs(layers).build()?)
}

fn manifest(configuration: Descriptor, layer: Descriptor) -> Result<ImageManifest, ImageError> {
    let manifest = ImageManifestBuilder::default().schema_version(SCHEMA_VERSION).media_type(MediaType::ImageManifest);
    Ok(manifest.config(configuration).layers(vec![layer]).build()?)
}

fn index(mut manifest: Descriptor) -> Result<ImageIndex, ImageError> {
    let platform = PlatformBuilder::default().architecture(Arch::default()).os(Os::Linux).build()?;
    manifest.set_platform(Some(platform));
    manifest.set_annotations(Some(HashMap::from([(ANNOTATION_REF_NAME.to_owned(), REFERENCE.to_owned())])));
    let index = ImageIndexBuilder::default().schema_version(SCHEMA_VERSION).media_type(MediaType::ImageIndex);
    Ok(index.manifests(vec![manifest]).build()?)
}

/// RFC 8785: the library keeps labels in no order.
fn canonical(document: &impl Serialize) -> Result<Vec<u8>, ImageError> {
    Ok(serde_json_canonicalizer::to_vec(document)?)
}

fn sha_256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn put(layout: &Path, path: &str, contents: &[u8]) -> Result<(), ImageError> {
    tree::write(layout, path, contents, 0o644)
}

/// The folder where everything lies by its digest.
struct Blobs<'l>(&'l Path);

impl Blobs<'_> {
    fn write(&self, kind: MediaType, contents: &[u8]) -> Result<Descriptor, ImageError> {
        let digest = sha_256(contents);
        put(self.0, &format!("blobs/sha256/{digest}"), contents)?;
        let size = u64::try_from(contents.len()).unwrap_or(u64::MAX);
        Ok(Descriptor::new(kind, size, Sha256Digest::from_str(&digest)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use tempfile::TempDir;

    use super::*;
    use crate::cargo::root;

    fn tree() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        tree::write(folder.path(), tree::PROGRAM, b"program", 0o755).unwrap();
        tree::write(folder.path(), "etc/nsswitch.conf", b"hosts: files\n", 0o644).unwrap();
        folder
    }

    /// The image, read back by its index, with every digest and size looked at on the way.
    fn read(layout: &Path) -> (ImageConfiguration, Vec<u8>) {
        let blob = |descriptor: &Descriptor| {
            let bytes = std::fs::read(layout.join("blobs/sha256").join(descriptor.digest().digest())).unwrap();
            assert_eq!(sha_256(&bytes), descriptor.digest().digest());
            assert_eq!(u64::try_from(bytes.len()).unwrap(), descriptor.size());
            bytes
        };
        let index = ImageIndex::from_file(layout.join("index.json")).unwrap();
        let manifest = ImageManifest::from_reader(blob(&index.manifests()[0]).as_slice()).unwrap();
        let configuration = ImageConfiguration::from_reader(blob(manifest.config()).as_slice()).unwrap();
        let mut archive = Vec::new();
        GzDecoder::new(blob(&manifest.layers()[0]).as_slice()).read_to_end(&mut archive).unwrap();
        (configuration, archive)
    }

    #[test]
    fn the_layout_leads_to_the_files_of_the_tree() {
        let (tree, layout) = (tree(), tempfile::tempdir().unwrap());
        write(tree.path(), layout.path()).unwrap();
        let (configuration, archive) = read(layout.path());
        assert_eq!(configuration.rootfs().diff_ids(), &[format!("sha256:{}", sha_256(&archive))]);
        let mut seen = BTreeMap::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
            seen.insert(entry.path().unwrap().to_str().unwrap().to_owned(), (header.mode().unwrap(), text));
        }
        let folder = || (0o755, String::new());
        let expected = [
            ("etc", folder()),
            ("etc/nsswitch.conf", (0o644, "hosts: files\n".to_owned())),
            ("usr", folder()),
            ("usr/local", folder()),
            ("usr/local/bin", folder()),
            ("usr/local/bin/portreeve", (0o755, "program".to_owned())),
        ];
        assert_eq!(seen, expected.map(|(path, seen)| (path.to_owned(), seen)).into());
    }

    #[test]
    fn one_tree_has_one_digest() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(write(tree().path(), first.path()).unwrap(), write(tree().path(), second.path()).unwrap());
        let index = |layout: &TempDir| std::fs::read(layout.path().join("index.json")).unwrap();
        assert_eq!(index(&first), index(&second));
    }

    #[test]
    fn another_mode_is_another_image() {
        let (changed, layout) = (tree(), tempfile::tempdir().unwrap());
        tree::write(changed.path(), tree::PROGRAM, b"program", 0o555).unwrap();
        let digest = write(changed.path(), layout.path()).unwrap();
        assert_ne!(digest, write(tree().path(), tempfile::tempdir().unwrap().path()).unwrap());
    }

    #[test]
    fn the_dockerfile_runs_it_the_same_way() {
        let text = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
        let ports: Vec<_> = PORTS.iter().map(u16::to_string).collect();
        for line in [
            format!("USER {USER}:{USER}"),
            format!("EXPOSE {}", ports.join(" ")),
            format!("ENTRYPOINT [\"/{}\"]", tree::PROGRAM),
            format!("CMD [\"{COMMAND}\"]"),
        ] {
            assert!(text.lines().any(|written| written == line), "the Dockerfile does not say {line}");
        }
        for (name, value) in LABELS {
            assert!(text.contains(&format!("{name}=\"{value}\"")), "the Dockerfile has no label {name} of {value}");
        }
    }
}
