//! Resources of a message back to the `resources` table.

use flyte_schema::flyteidl2::core::resources::{ResourceEntry, ResourceName};
use flyte_schema::flyteidl2::core::{
    ExtendedResources, GPUAccelerator, Resources,
    gpu_accelerator::{DeviceClass, PartitionSizeValue},
};
use toml::{Table, Value};

use crate::model::accelerator::{Accelerator, DEVICES};

/// Empty where nothing is asked for.
pub fn resources(container: &Resources, extended: &ExtendedResources) -> Table {
    let mut table = Table::new();
    for (key, name) in [("cpu", ResourceName::CPU), ("memory", ResourceName::MEMORY)] {
        let request = amount(&container.requests, name);
        let limit = amount(&container.limits, name);
        let value = match (request, limit) {
            (Some(request), None) => quantity(key, request),
            (Some(request), Some(limit)) => {
                let both = [("request", request), ("limit", limit)];
                let both = both.into_iter().map(|(bound, text)| (bound.to_owned(), quantity(key, text)));
                Value::Table(both.collect())
            }
            (None, _) => continue,
        };
        table.insert(key.to_owned(), value);
    }
    let count = amount(&container.requests, ResourceName::GPU);
    match extended.gpu_accelerator.as_option() {
        Some(accelerator) => drop(table.insert("gpu".to_owned(), gpu(accelerator, count))),
        None => {
            if let Some(count) = count.and_then(|count| count.parse::<i64>().ok()) {
                table.insert("gpu".to_owned(), count.into());
            }
        }
    }
    if let Some(disk) = amount(&container.requests, ResourceName::EPHEMERAL_STORAGE) {
        table.insert("disk".to_owned(), disk.into());
    }
    if let Some(shared) = extended.shared_memory.as_option() {
        let size = if shared.size_limit.is_empty() { "auto" } else { &shared.size_limit };
        table.insert("shm".to_owned(), size.into());
    }
    table
}

fn amount(entries: &[ResourceEntry], name: ResourceName) -> Option<&str> {
    entries.iter().find(|entry| entry.name == name).map(|entry| entry.value.as_str())
}

/// Whole processors are numbers.
fn quantity(key: &str, text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if key == "cpu" && number.to_string() == text => number.into(),
        _ => text.into(),
    }
}

fn gpu(accelerator: &GPUAccelerator, count: Option<&str>) -> Value {
    let quantity = count.and_then(|count| count.parse::<u32>().ok()).unwrap_or(1);
    let on_wire = |name: &str| Accelerator {
        class: accelerator.device_class.as_known().unwrap_or_default(),
        device: name.to_owned(),
        quantity,
        partition: None,
    };
    let known = DEVICES.iter().find(|device| {
        accelerator.device_class == device.class && on_wire(device.name).device_on_wire() == accelerator.device
    });
    let partition = match &accelerator.partition_size_value {
        Some(PartitionSizeValue::PartitionSize(partition)) => Some(partition),
        _ => None,
    };
    // A TPU is asked for by a table alone.
    let by_text = known.filter(|device| device.class != DeviceClass::GOOGLE_TPU);
    if let (Some(device), None) = (by_text, partition) {
        return format!("{}:{quantity}", device.name).into();
    }
    let mut table = Table::new();
    let name = known.map_or(accelerator.device.as_str(), |device| device.name);
    table.insert("device".to_owned(), name.into());
    if quantity != 1 {
        table.insert("quantity".to_owned(), i64::from(quantity).into());
    }
    if let Some(partition) = partition {
        table.insert("partition".to_owned(), partition.as_str().into());
    }
    if known.is_none() {
        table.insert("device_class".to_owned(), accelerator.device_class.to_string().into());
    }
    table.into()
}
