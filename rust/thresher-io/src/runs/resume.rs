//! Going on where an interrupted run of the same command stopped.
//!
//! ```text
//! SPILL/run.json  what is run: version, parameters, inputs; written first, read by the next run
//! SPILL/secret    the secret that keys the hashes of the state; mode 0600
//! SPILL/...       what the run has done so far: files that are complete and checked by their checksums
//! ```
//!
//! The state belongs to one command on one set of inputs. If either changed, the next run says what, and does nothing: to go on
//! would mix two runs, and to start over would lose what was done. Inputs are told by their size, their time of change
//! and a sample of their bytes, since times alone lie.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thresher_core::Secret;
use xxhash_rust::xxh3::Xxh3;

use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::runs::books::Count;
use crate::runs::parameters::Named;
use crate::runs::plan::Plan;
use crate::runs::rows::pii::key_of_variable;
use crate::secret;

/// How often what is done is made to outlive the process; in tests, behind every unit.
pub(crate) const EVERY: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(10) };
const RUN: &str = "run.json";
const SECRET: &str = "secret";
/// Parameters that change no byte of the result, and so may differ.
const FREE: [&str; 5] = ["threads", "memory", "tmp", "overwrite", "restart"];
/// Bytes of an input that are looked at, in so many places.
const SAMPLE: usize = 4096;
const SAMPLES: u64 = 64;
/// Changes that an error lists.
const NAMED: usize = 8;

/// What a run is: two runs of the same may share a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    version: String,
    scheme: u32,
    /// Every column was decoded in pass 1.
    pub(crate) thorough: bool,
    parameters: BTreeMap<String, Value>,
    inputs: Vec<InputPrint>,
    /// Files that parameters name, by XXH3-128 of their contents.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Variables that parameters name, by the fingerprints of the keys in them, which do not tell the keys.
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

/// By what an input is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct InputPrint {
    path: String,
    bytes: u64,
    modified_ns: u128,
    sample: String,
}

impl Identity {
    /// The identity of a run of these parameters over these inputs.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn of(config: &impl Serialize, plan: &Plan, thorough: bool) -> Result<Self> {
        let internal = |error: serde_json::Error| Error::Internal(error.to_string());
        let parameters = match serde_json::to_value(config).map_err(internal)? {
            Value::Object(fields) => {
                fields.into_iter().filter(|(name, _)| !FREE.contains(&name.as_str())).collect()
            }
            other => [("config".to_owned(), other)].into(),
        };
        // What came through a pipe is gone for the next run.
        let repeated = plan.sources.iter().filter(|_| plan.is_repeatable());
        let inputs = repeated.map(|source| {
            let path = source.input().path();
            InputPrint::of(path).map_err(Error::io("read", path))
        });
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scheme: thresher_core::hash::SCHEME_VERSION,
            thorough,
            parameters,
            inputs: inputs.collect::<Result<_>>()?,
            files: BTreeMap::new(),
            variables: BTreeMap::new(),
        })
    }

    /// The same of a run whose parameters name these files and variables. A variable that is missing, or holds no key, is told
    /// by the step that needs it.
    ///
    /// # Errors
    /// `Error::Parameter` for a file that cannot be read.
    pub(crate) fn with_named(mut self, named: impl IntoIterator<Item = Named>) -> Result<Self> {
        for one in named {
            let path = match one {
                Named::File(path) => path,
                Named::Variable(name) => {
                    if let Ok(key) = key_of_variable(&name) {
                        self.variables.insert(name, key.fingerprint());
                    }
                    continue;
                }
            };
            let name = path.display().to_string();
            let sum = content_of(&path).map_err(|error| {
                Error::Parameter(format!("a parameter is the file `{name}`, which cannot be read: {error}"))
            })?;
            self.files.insert(name, sum);
        }
        Ok(self)
    }

    /// What is different in `other`, a line each.
    fn changes(&self, other: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if (&self.version, self.scheme) != (&other.version, other.scheme) {
            changes.push(format!("thresher was version {}, and is {}", self.version, other.version));
        }
        let names: std::collections::BTreeSet<&String> =
            self.parameters.keys().chain(other.parameters.keys()).collect();
        for name in names {
            let (was, is) = (self.parameters.get(name), other.parameters.get(name));
            if was != is {
                let show = |value: Option<&Value>| value.map_or("not set".into(), Value::to_string);
                changes.push(format!("{name} was `{}`, and is `{}`", show(was), show(is)));
            }
        }
        if self.inputs.len() != other.inputs.len() {
            changes.push(format!("there were {} inputs, and are {}", self.inputs.len(), other.inputs.len()));
        }
        for (was, is) in self.inputs.iter().zip(&other.inputs) {
            if was.path != is.path {
                changes.push(format!("input `{}` was `{}`", is.path, was.path));
            } else if was.bytes != is.bytes {
                changes.push(format!("input `{}` had {} bytes, and has {}", is.path, was.bytes, is.bytes));
            } else if was != is {
                changes.push(format!("input `{}` has other content", is.path));
            }
        }
        for (name, sum) in &other.files {
            if self.files.get(name).is_some_and(|was| was != sum) {
                changes.push(format!("the file `{name}` has other content"));
            }
        }
        for (name, fingerprint) in &other.variables {
            if self.variables.get(name).is_some_and(|was| was != fingerprint) {
                changes.push(format!("the variable `{name}` holds another key"));
            }
        }
        changes
    }
}

/// XXH3-128 of a file.
fn content_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hash, mut block) = (Xxh3::new(), vec![0; 1 << 20]);
    loop {
        match io::Read::read(&mut file, &mut block)? {
            0 => return Ok(format!("{:032x}", hash.digest128())),
            read => hash.update(&block[..read]),
        }
    }
}

impl InputPrint {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        let modified_ns = found.modified()?.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let mut hash = Xxh3::new();
        if found.is_file() {
            let file = File::open(path)?;
            let mut bytes = [0; SAMPLE];
            let last = found.len().saturating_sub(SAMPLE as u64);
            for place in 0..=SAMPLES {
                let at = (u128::from(last) * u128::from(place) / u128::from(SAMPLES)) as u64;
                let read = std::os::unix::fs::FileExt::read_at(&file, &mut bytes, at)?;
                hash.update(&bytes[..read]);
                if last == 0 {
                    break;
                }
            }
        }
        let sample = format!("{:032x}", hash.digest128());
        Ok(Self { path: path.display().to_string(), bytes: found.len(), modified_ns, sample })
    }
}

/// What a run finds in the folder of its temporary files.
pub(crate) struct Workplace {
    pub(crate) secret: Secret,
    /// An earlier run of the same has left its state.
    pub(crate) is_resumed: bool,
}

impl Workplace {
    /// Takes the folder for a run. `has_done` says whether an earlier one has done anything in it that is worth keeping.
    ///
    /// # Errors
    /// `Error::Parameter` if that was another run, with what differs; I/O failures.
    pub(crate) fn take(
        folder: &Path,
        identity: &Identity,
        restart: bool,
        has_done: impl Fn(&Path) -> bool,
    ) -> Result<Self> {
        let earlier = read(folder);
        if !restart
            && let Some((was, secret)) = earlier
            && has_done(folder)
        {
            let changes = was.changes(identity);
            if !changes.is_empty() {
                return Err(refused(&changes));
            }
            return Ok(Self { secret, is_resumed: true });
        }
        Self::fresh(folder, identity)
    }

    /// An empty folder for a run.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn fresh(folder: &Path, identity: &Identity) -> Result<Self> {
        clear(folder)?;
        let secret = secret::draw()?;
        let path = folder.join(SECRET);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(secret.as_bytes()));
        written.map_err(Error::io("write", &path))?;
        let json = serde_json::to_vec(identity).map_err(|error| Error::Internal(error.to_string()))?;
        commit_bytes(&folder.join(RUN), &json)?;
        Ok(Self { secret, is_resumed: false })
    }
}

/// Says how much was not done again, if there was anything.
pub(crate) fn note(done: Count) -> Option<String> {
    let Count { docs, bytes } = done;
    (docs > 0).then(|| {
        format!(
            "an interrupted run of the same command had done {docs} rows ({bytes} bytes), which were not done again"
        )
    })
}

/// Whether an earlier run had every column decoded in pass 1.
pub(crate) fn was_thorough(folder: &Path) -> bool {
    read(folder).is_some_and(|(identity, _)| identity.thorough)
}

/// The run of which this is the state, if that can be told.
fn read(folder: &Path) -> Option<(Identity, Secret)> {
    let identity = serde_json::from_slice(&fs::read(folder.join(RUN)).ok()?).ok()?;
    let secret: [u8; Secret::LEN] = fs::read(folder.join(SECRET)).ok()?.try_into().ok()?;
    Some((identity, Secret::new(&secret)))
}

fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io("remove", folder)(error));
        }
        _ => {}
    }
    fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))
}

fn refused(changes: &[String]) -> Error {
    let more = changes.len().saturating_sub(NAMED);
    let mut listed = changes[..changes.len() - more].join("; ");
    if more > 0 {
        listed = format!("{listed}; and {more} more");
    }
    Error::Parameter(format!(
        "the output has the state of an interrupted run that was another one: {listed}. Run the same command again to go on, or add \
         --restart (restart=True) to start over"
    ))
}
