//! The accelerators that Flyte knows, as a table.
//!
//! Source: the published SDK's `Resources`, `GPU`, `TPU`, `Neuron`, `AMD_GPU` and `HABANA_GAUDI`, and its names of
//! devices on the wire.

use flyte_schema::flyteidl2::core::gpu_accelerator::DeviceClass;

/// A device, and how many of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accelerator {
    pub class: DeviceClass,
    /// As the SDK calls it: `A100_80G`.
    pub device: String,
    /// At least 1.
    pub quantity: u32,
    /// A part of a device: `1g.5gb`, `2x2x1`.
    pub partition: Option<String>,
}

impl Accelerator {
    /// What the wire calls the device: names without an entry in the table go as they are.
    pub fn device_on_wire(&self) -> &str {
        let renamed = known(&self.device).and_then(|device| device.wire);
        renamed
            .or_else(|| RAW.iter().find(|(name, _)| *name == self.device).map(|(_, wire)| *wire))
            .unwrap_or(&self.device)
    }

    pub fn is_apple_silicon(&self) -> bool {
        self.class == DeviceClass::APPLE_SILICON
    }
}

/// What is known of a device.
#[derive(Debug, Clone, Copy)]
pub struct Device {
    pub name: &'static str,
    pub class: DeviceClass,
    /// Its name on the wire. `None`: the same.
    pub wire: Option<&'static str>,
    /// How many an app may ask for.
    pub counts: &'static [u32],
    pub partitions: Partitions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitions {
    /// It comes whole.
    None,
    /// Whatever the cluster offers.
    Any,
    OneOf(&'static [&'static str]),
}

/// The device of a name; two old spellings are known too.
pub fn known(name: &str) -> Option<&'static Device> {
    let name = OLD_NAMES.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| *new);
    DEVICES.iter().find(|device| device.name == name)
}

const OLD_NAMES: [(&str, &str); 2] = [("A100 80G", "A100_80G"), ("RTX PRO 6000", "RTX_PRO_6000")];

/// Names that only a raw device may have.
const RAW: [(&str, &str); 6] = [
    ("A100G", "nvidia-a100g"),
    ("K80", "nvidia-tesla-k80"),
    ("L4_VWS", "nvidia-l4-vws"),
    ("M60", "nvidia-tesla-m60"),
    ("P100", "nvidia-tesla-p100"),
    ("P4", "nvidia-tesla-p4"),
];

const ONE: &[u32] = &[1];
const UP_TO_2: &[u32] = &[1, 2];
const UP_TO_8: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8];
const UP_TO_12: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const UP_TO_16: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const TRAINIUM: &[u32] = &[1, 4, 8, 16];

const A100: Partitions = Partitions::OneOf(&["1g.5gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"]);
const A100_80G: Partitions = Partitions::OneOf(&["1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"]);
const H100: Partitions = Partitions::OneOf(&["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"]);
const H200: Partitions = Partitions::OneOf(&["1g.18gb", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb"]);
const RTX_PRO_6000: Partitions = Partitions::OneOf(&["1g.24gb", "2g.48gb", "4g.96gb"]);
const TPU_2D: Partitions = Partitions::OneOf(&["1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"]);
const TPU_3D: Partitions = Partitions::OneOf(&[
    "2x2x1", "2x2x2", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8", "8x8x16", "8x16x16", "16x16x16", "16x16x24",
]);

const fn nvidia(
    name: &'static str,
    wire: Option<&'static str>,
    counts: &'static [u32],
    partitions: Partitions,
) -> Device {
    Device { name, class: DeviceClass::NVIDIA_GPU, wire, counts, partitions }
}

/// One of several apps on a device.
const fn shared(name: &'static str) -> Device {
    nvidia(name, None, ONE, Partitions::None)
}

const fn other(name: &'static str, class: DeviceClass, counts: &'static [u32]) -> Device {
    Device { name, class, wire: None, counts, partitions: Partitions::None }
}

const fn tpu(name: &'static str, wire: &'static str, partitions: Partitions) -> Device {
    Device { name, class: DeviceClass::GOOGLE_TPU, wire: Some(wire), counts: ONE, partitions }
}

/// Every device that can be asked for by name.
pub const DEVICES: &[Device] = &[
    nvidia("A2", None, ONE, Partitions::Any),
    nvidia("A10", Some("nvidia-a10"), UP_TO_8, Partitions::Any),
    nvidia("A10G", Some("nvidia-a10g"), UP_TO_8, Partitions::Any),
    nvidia("A100", Some("nvidia-tesla-a100"), UP_TO_8, A100),
    nvidia("A100_80G", Some("nvidia-a100-80gb"), UP_TO_8, A100_80G),
    nvidia("B200", None, UP_TO_8, Partitions::Any),
    nvidia("GB10", None, ONE, Partitions::Any),
    nvidia("H100", Some("nvidia-tesla-h100"), UP_TO_8, H100),
    nvidia("H200", None, UP_TO_8, H200),
    nvidia("L4", Some("nvidia-l4"), UP_TO_8, Partitions::Any),
    nvidia("L40s", Some("nvidia-l40s"), UP_TO_8, Partitions::Any),
    nvidia("RTX_PRO_4500", Some("nvidia-rtx-pro-4500"), ONE, Partitions::Any),
    nvidia("RTX_PRO_6000", Some("nvidia-rtx-pro-6000"), UP_TO_2, RTX_PRO_6000),
    nvidia("T4", Some("nvidia-tesla-t4"), UP_TO_8, Partitions::Any),
    nvidia("V100", Some("nvidia-tesla-v100"), UP_TO_8, Partitions::Any),
    shared("A10 shared"),
    shared("A10G shared"),
    shared("L4 shared"),
    shared("L40S shared"),
    shared("T4 shared"),
    tpu("V5E", "tpu-v5-lite-podslice", TPU_2D),
    tpu("V5P", "tpu-v5p-slice", TPU_3D),
    tpu("V6E", "tpu-v6e-slice", TPU_2D),
    other("Inf1", DeviceClass::AMAZON_NEURON, UP_TO_16),
    other("Inf2", DeviceClass::AMAZON_NEURON, UP_TO_12),
    other("Trn1", DeviceClass::AMAZON_NEURON, TRAINIUM),
    other("Trn1n", DeviceClass::AMAZON_NEURON, TRAINIUM),
    other("Trn2", DeviceClass::AMAZON_NEURON, TRAINIUM),
    other("Trn2u", DeviceClass::AMAZON_NEURON, TRAINIUM),
    other("MI100", DeviceClass::AMD_GPU, ONE),
    other("MI210", DeviceClass::AMD_GPU, ONE),
    other("MI250", DeviceClass::AMD_GPU, ONE),
    other("MI250X", DeviceClass::AMD_GPU, ONE),
    other("MI300A", DeviceClass::AMD_GPU, ONE),
    other("MI300X", DeviceClass::AMD_GPU, ONE),
    other("MI325X", DeviceClass::AMD_GPU, ONE),
    other("MI350X", DeviceClass::AMD_GPU, ONE),
    other("MI355X", DeviceClass::AMD_GPU, ONE),
    other("Gaudi1", DeviceClass::HABANA_GAUDI, ONE),
    other("AppleSilicon", DeviceClass::APPLE_SILICON, ONE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names_on_the_wire() {
        let check = |device: &str, expected: &str| {
            let asked =
                Accelerator { class: DeviceClass::NVIDIA_GPU, device: device.to_owned(), quantity: 1, partition: None };
            assert_eq!(asked.device_on_wire(), expected, "{device}");
        };
        check("T4", "nvidia-tesla-t4");
        check("A100 80G", "nvidia-a100-80gb");
        check("RTX PRO 6000", "nvidia-rtx-pro-6000");
        check("H200", "H200");
        check("T4 shared", "T4 shared");
        check("V5E", "tpu-v5-lite-podslice");
        check("K80", "nvidia-tesla-k80");
        check("Frobnicator", "Frobnicator");
    }

    #[test]
    fn names_are_there_once() {
        let mut names: Vec<&str> = DEVICES.iter().map(|device| device.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(DEVICES.iter().all(|device| !device.counts.is_empty()));
    }
}
