//! Says of which site and sensor each file is: `--site FILE=NAME`, `--sensor FILE=NAME`.

use std::path::Path;

use anyhow::{Result, bail};

use crate::capture::Sensor;
use crate::index::{Input, SourceId, source_label};
use crate::text;

/// What the user calls the place where a file was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The file by its path, its name or its label (`B`).
    file: String,
    name: String,
}

impl Named {
    /// The place of a file that is known by its label.
    pub fn of_label(label: &str, name: &str) -> Self {
        Self { file: label.to_owned(), name: name.to_owned() }
    }
}

/// Reads `FILE=NAME`.
pub(super) fn named(text: &str) -> Result<Named, String> {
    let (file, name) = text.rsplit_once('=').ok_or("expected FILE=NAME, such as branch.pcapng=Oslo")?;
    let name = name.trim();
    if file.is_empty() || name.is_empty() {
        return Err("the file before = or the name after it is missing".to_owned());
    }
    Ok(Named { file: file.to_owned(), name: name.to_owned() })
}

/// Where a name belongs.
type Slot = fn(&mut Sensor) -> &mut Option<String>;

/// Gives the inputs the sites and sensors they were captured at.
pub(super) fn tell(inputs: &mut [Input], sites: &[Named], sensors: &[Named]) -> Result<()> {
    let slots: [(&str, &[Named], Slot); 2] =
        [("--site", sites, |place| &mut place.site), ("--sensor", sensors, |place| &mut place.sensor)];
    for (option, all, slot) in slots {
        for named in all {
            let at = find(inputs, &named.file);
            let Some(input) = at.and_then(|at| inputs.get_mut(at)) else {
                bail!("{option} names file {}, which is not among those opened", text::quoted(&named.file));
            };
            *slot(&mut input.source.place) = Some(named.name.clone());
        }
    }
    Ok(())
}

/// The input of a file: by its path as given, by its label, or by a file name that only one of them has.
fn find(inputs: &[Input], file: &str) -> Option<usize> {
    let path = Path::new(file);
    let of = |test: &dyn Fn(usize, &Input) -> bool| {
        let mut found = inputs.iter().enumerate().filter(|(at, input)| test(*at, input)).map(|(at, _)| at);
        found.next().filter(|_| found.next().is_none())
    };
    of(&|_, input| input.source.path.as_deref() == Some(path) || input.source.name == file)
        .or_else(|| of(&|at, _| source_label(SourceId::at(at)) == file))
        .or_else(|| {
            of(&|_, input| input.source.path.as_deref().and_then(Path::file_name) == Some(path.as_os_str()))
        })
}
