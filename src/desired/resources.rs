//! Resources as the control plane takes them.

use flyte_schema::flyteidl2::core::resources::{ResourceEntry, ResourceName};
use flyte_schema::flyteidl2::core::{
    ExtendedResources, GPUAccelerator, KeyValuePair, Resources as Message, SharedMemory as SharedMemoryMessage,
    gpu_accelerator::PartitionSizeValue,
};

use crate::model::accelerator::Accelerator;
use crate::model::resources::{Gpu, Resources, SharedMemory};

/// Where shared memory is mounted, and as what volume. Source: the published SDK.
const SHARED_MEMORY_PATH: &str = "/dev/shm";
const SHARED_MEMORY_NAME: &str = "flyte-shm";

/// Set by an app that does not want to run on the Mac itself.
const APPLE_SILICON_CHOICE: (&str, &str) = ("FLYTE_APPLE_SILICON_EXECUTION", "container");

/// Told to an app on Apple silicon. Source: the published SDK; packages are those of an image it builds.
const APPLE_SILICON_MARKERS: [(&str, &str); 2] =
    [("_F_APPLE_SILICON_EXECUTION", "host"), ("_F_APPLE_SILICON_HOST_PACKAGES", "[]")];

/// Of the container. `None` where nothing is asked for.
pub fn container(resources: &Resources) -> Option<Message> {
    let entry = |name: ResourceName, value: &str| ResourceEntry {
        name: name.into(),
        value: value.to_owned(),
        ..Default::default()
    };
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, amount) in [(ResourceName::CPU, &resources.cpu), (ResourceName::MEMORY, &resources.memory)] {
        let Some(amount) = amount else { continue };
        requests.push(entry(name, &amount.request));
        limits.extend(amount.limit.as_ref().map(|limit| entry(name, limit)));
    }
    let count = match &resources.gpu {
        Some(Gpu::Count(count)) => *count,
        Some(Gpu::Named(accelerator)) => accelerator.quantity,
        None => 0,
    };
    if count > 0 {
        requests.push(entry(ResourceName::GPU, &count.to_string()));
    }
    requests.extend(resources.disk.as_ref().map(|size| entry(ResourceName::EPHEMERAL_STORAGE, size)));
    (!requests.is_empty()).then(|| Message { requests, limits, ..Default::default() })
}

/// What a container has no fields for.
pub fn extended(resources: &Resources) -> Option<ExtendedResources> {
    let accelerator = named(resources).map(|asked| GPUAccelerator {
        device: asked.device_on_wire().to_owned(),
        device_class: asked.class.into(),
        partition_size_value: asked.partition.clone().map(PartitionSizeValue::PartitionSize),
        ..Default::default()
    });
    let shared_memory = resources.shm.as_ref().map(|size| SharedMemoryMessage {
        mount_path: SHARED_MEMORY_PATH.to_owned(),
        mount_name: SHARED_MEMORY_NAME.to_owned(),
        size_limit: match size {
            SharedMemory::Auto => String::new(),
            SharedMemory::Size(size) => size.clone(),
        },
        ..Default::default()
    });
    (accelerator.is_some() || shared_memory.is_some()).then(|| ExtendedResources {
        gpu_accelerator: accelerator.into(),
        shared_memory: shared_memory.into(),
        ..Default::default()
    })
}

/// The variables that an app on Apple silicon gets beside its own, but for those that it sets itself.
pub fn markers(resources: &Resources, env: &[KeyValuePair]) -> Vec<(&'static str, &'static str)> {
    let chosen = env.iter().any(|pair| (pair.key.as_str(), pair.value.as_str()) == APPLE_SILICON_CHOICE);
    if !chosen && named(resources).is_some_and(Accelerator::is_apple_silicon) {
        let is_set = |name: &str| env.iter().any(|pair| pair.key == name);
        APPLE_SILICON_MARKERS.into_iter().filter(|(name, _)| !is_set(name)).collect()
    } else {
        Vec::new()
    }
}

fn named(resources: &Resources) -> Option<&Accelerator> {
    match &resources.gpu {
        Some(Gpu::Named(accelerator)) => Some(accelerator),
        _ => None,
    }
}
