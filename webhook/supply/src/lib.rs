//! Image references, registries, digests and lock files: the facts about images.
