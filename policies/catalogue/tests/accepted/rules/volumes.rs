//! Volumes and their mounts. `ValidateVolumes`, `validateEmptyDirVolumeSource`, `ValidateVolumeMounts`,
//! `ValidateVolumeDevices`.

use portreeve_sdk::quantity::Quantity;
use serde_json::Value;

use super::names::is_label;
use super::{Container, Faults, List, Pod, entries, items, repeated, text};

pub(super) fn judge(pod: &Pod<'_>, faults: &mut Faults) {
    let volumes = &pod.spec["volumes"];
    let names: Vec<&str> = items(volumes).map(|volume| text(&volume["name"])).collect();
    for name in repeated(names.iter().copied()) {
        faults.say(format!("volume {name:?} is there twice"));
    }
    for volume in items(volumes) {
        volume_itself(volume, faults);
    }
    let claims = pod.claims.map(items).into_iter().flatten().map(|claim| text(&claim["metadata"]["name"]));
    let known: Vec<&str> = names.into_iter().chain(claims).collect();
    for container in pod.containers() {
        mounts(&container, &known, faults);
    }
}

fn volume_itself(volume: &Value, faults: &mut Faults) {
    let name = text(&volume["name"]);
    faults.unless(is_label(name), || format!("volume {name:?} has no valid name"));
    let sources = entries(volume).filter(|(field, value)| *field != "name" && !value.is_null()).count();
    faults.unless(sources <= 1, || format!("volume {name:?} has {sources} sources"));
    let limit = &volume["emptyDir"]["sizeLimit"];
    let is_size = |limit: &Value| text(limit).parse::<Quantity>().is_ok_and(|size| size >= Quantity::default());
    faults.unless(limit.is_null() || is_size(limit), || format!("volume {name:?} has the size limit {limit}"));
}

fn mounts(container: &Container<'_>, known: &[&str], faults: &mut Faults) {
    let name = container.name();
    let mounts = &container.value["volumeMounts"];
    let devices = &container.value["volumeDevices"];
    for mount in items(mounts) {
        let volume = text(&mount["name"]);
        faults.unless(known.contains(&volume), || format!("container {name:?} mounts {volume:?}, which is no volume"));
        faults
            .unless(!text(&mount["mountPath"]).is_empty(), || format!("container {name:?} mounts {volume:?} nowhere"));
        let in_part = container.list == List::Ephemeral && !text(&mount["subPath"]).is_empty();
        faults.unless(!in_part, || format!("ephemeral container {name:?} mounts a part of {volume:?}"));
    }
    let paths = items(mounts).map(|mount| text(&mount["mountPath"]));
    for path in repeated(paths.chain(items(devices).map(|device| text(&device["devicePath"])))) {
        faults.say(format!("container {name:?} mounts {path:?} twice"));
    }
    let mounted: Vec<&str> = items(mounts).map(|mount| text(&mount["name"])).collect();
    for device in items(devices).map(|device| text(&device["name"])) {
        faults.unless(!mounted.contains(&device), || {
            format!("container {name:?} has {device:?} mounted and as a device")
        });
    }
}
