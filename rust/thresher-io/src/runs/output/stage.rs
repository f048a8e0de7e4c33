//! Staging: a run's outputs under construction, from taking the output to publishing it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use xxhash_rust::xxh3::xxh3_64;

use super::marker::{FileEntry, Files, seal};
use super::place::{CLUSTERS, DATA, PAGE, PARTS, Place, QUARANTINE, REMOVED, RUN, SIGNALS};
use super::state::{State, remove_tree};
use super::{publish, standing};
use crate::codec::without_suffix;
use crate::codec::{Codec, DataFormat};
use crate::commit::commit_bytes;
use crate::error::{Error, Result};
use crate::input::{Checkpoint, GoOn, Output, Written};
use crate::quarantine::{self, Quarantine};
use crate::runs::evidence::Reported;
use crate::runs::plan::Plan;
use crate::runs::source::{Form, Source};
use crate::writers::Means;
use crate::writers::folder::Listing;

/// The outputs of a run, and nobody else's until it ends.
pub(crate) struct RunOutput {
    place: Place,
    /// None on standard output.
    state: Option<State>,
    /// The form that the name of a single output asks for.
    asked: Option<Form>,
    /// A finished result may be replaced.
    overwrite: bool,
    /// The ending of data files that are of another format than their inputs.
    suffix: OnceLock<&'static str>,
}

impl RunOutput {
    /// Checks the output, takes it, and completes what an earlier run had begun to publish there.
    ///
    /// With `keeps_format`, a single file takes inputs of its own format only. A finished result is replaced with
    /// `overwrite` alone.
    ///
    /// # Errors
    /// `Error::Parameter` for an output that cannot be, `Error::Busy` if another run has it, I/O failures.
    pub(crate) fn open(output: &str, overwrite: bool, plan: &Plan, keeps_format: bool) -> Result<Self> {
        let kept = |output: &str| {
            let needs = || format!("output {output} is a single file, which");
            keeps_format.then(|| plan.single_format(&needs(), "choose a folder")).transpose()
        };
        let (place, asked) = Place::of(output, kept)?;
        place.refuse_inputs(paths(plan))?;
        Self::take(place, asked, overwrite)
    }

    /// Takes an output, and completes what an earlier run had begun to publish there.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn take(place: Place, asked: Option<Form>, overwrite: bool) -> Result<Self> {
        // Before anything is made where it would not belong. What another run publishes right now is told by its lock.
        if let Err(refused) = standing::check(&place, overwrite)
            && !place.state().is_some_and(|state| state.exists())
        {
            return Err(refused);
        }
        let state = State::take(&place)?;
        if let Some(state) = &state {
            // What an earlier run has left for the next one is not lost to a run that may not go there.
            let keep_what_there_is = || state.keep_work(state.work().exists() || state.written().exists());
            keep_what_there_is();
            if publish::recover(&place, state, &mut || Ok(()))? {
                keep_what_there_is();
            }
            standing::check(&place, overwrite)?;
            state.clear()?;
            state.keep_work(false);
        }
        Ok(Self { place, state, asked, overwrite, suffix: OnceLock::new() })
    }

    /// From now on data files in a folder end in this instead of in what their inputs end in. The first one counts.
    pub(crate) fn end_in(&self, suffix: &'static str) {
        let _ = self.suffix.set(suffix);
    }

    /// The name of the data of an input, below the folder of the data.
    fn data_name(&self, source: &Source) -> PathBuf {
        let name = source.input().name();
        PathBuf::from(self.suffix.get().map_or_else(
            || name.to_owned(),
            |suffix| {
                let stem = if source.format().is_some() { without_suffix(name) } else { name };
                format!("{stem}.{suffix}")
            },
        ))
    }

    /// Whether all inputs go into one file.
    pub(crate) fn is_single(&self) -> bool {
        !matches!(self.place, Place::Folder(_))
    }

    /// In which form the rows of an input are written: that of the input in a folder, that of its name in a single file.
    /// Standard output takes plain lines, or the columns of the inputs.
    pub(crate) fn form(&self, source: &Source) -> Form {
        self.asked.unwrap_or_else(|| source.form())
    }

    /// In which form data that is like no input is written: the one that the name of a single output asks for, else Parquet.
    pub(crate) fn form_of_columns(&self) -> Form {
        self.asked.unwrap_or(Form { format: DataFormat::Parquet, codec: Codec::Plain, is_array: false })
    }

    /// Where a data file of this name is made; a single output has no other.
    pub(crate) fn named_path(&self, name: &str) -> PathBuf {
        let Some(state) = &self.state else { return PathBuf::from("-") };
        let data = state.new_part(DATA);
        if self.is_single() { data } else { data.join(name) }
    }

    /// Where it will be found.
    pub(crate) fn final_named(&self, name: &str) -> PathBuf {
        match self.place.part(DATA) {
            Some(folder) if !self.is_single() => folder.join(name),
            Some(path) => path,
            None => self.place.path().to_path_buf(),
        }
    }

    /// The form that the name of a single output asks for.
    pub(super) fn asked(&self) -> Option<Form> {
        self.asked
    }

    /// The file name of a single output.
    pub(crate) fn final_name(&self) -> String {
        self.place.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The folder in which the parts of the result are made; `Error::Internal` on standard output.
    pub(super) fn staging(&self) -> Result<PathBuf> {
        let gone = || Error::Internal("standard output has no parts".into());
        Ok(self.state.as_ref().ok_or_else(gone)?.new_part(""))
    }

    /// Where a part will be found; `Error::Internal` on standard output.
    pub(super) fn final_part(&self, part: &str) -> Result<PathBuf> {
        self.place.part(part).ok_or_else(|| Error::Internal("standard output has no parts".into()))
    }

    /// Whether a result is on its way to its place, which the next run completes.
    pub(super) fn is_decided(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.journal().exists())
    }

    /// Whether data goes out as it comes, and cannot be taken back.
    pub(crate) fn is_stream(&self) -> bool {
        self.state.is_none()
    }

    /// Ends the run with `error`, since too much was set aside; that is kept, and the error says where.
    pub(crate) fn reject(&self, quarantine: Quarantine, error: Error) -> Error {
        let kept = quarantine.finish().ok().flatten();
        let place =
            self.state.as_ref().filter(|_| kept.is_some()).and_then(|state| state.reject(QUARANTINE).ok());
        match (error, place) {
            (Error::Data { path, message }, Some(place)) => {
                Error::Data { path, message: format!("{message}. They are in `{}`", place.display()) }
            }
            (error, _) => error,
        }
    }

    /// Forgets what was made so far.
    ///
    /// # Errors
    /// I/O failures; data that is on its way to standard output already.
    pub(crate) fn start_over(&self) -> Result<()> {
        let gone = || Error::Internal("a run cannot start over on standard output".into());
        let state = self.state.as_ref().ok_or_else(gone)?;
        remove_tree(&state.written())?;
        state.clear()
    }

    /// Where the data of an input will be found.
    pub(crate) fn final_path(&self, source: &Source) -> PathBuf {
        match self.place.part(DATA) {
            Some(folder) if !self.is_single() => folder.join(self.data_name(source)),
            Some(path) => path,
            None => self.place.path().to_path_buf(),
        }
    }

    /// Where the data of an input is made; with a single output, that of the first one.
    ///
    /// # Errors
    /// `Error::Parameter` if another input has this name on a file system that ignores case or normalises names.
    pub(crate) fn data_path(&self, source: &Source) -> Result<PathBuf> {
        let Some(state) = &self.state else { return Ok(PathBuf::from("-")) };
        let data = state.new_part(DATA);
        if self.is_single() {
            return Ok(data);
        }
        let path = data.join(self.data_name(source));
        let is_file = source.format().is_some() || self.suffix.get().is_some();
        if is_file && fs::symlink_metadata(&path).is_ok() {
            return Err(Error::Parameter(format!(
                "input `{}` would be written as `{}`, a name that another input has already where upper and lower case, two \
                 spellings of a letter, or the endings of inputs that get a new one, are the same; rename one of them",
                source.input().path().display(),
                self.data_name(source).display()
            )));
        }
        Ok(path)
    }

    /// The output of an input, in its own format, begun anew or gone on with. A columnar file that cannot be read has no schema to
    /// write; its one bad record is in quarantine.
    pub(super) fn create_like_from(
        &self,
        source: &Source,
        means: &Means,
        from: Option<(&Checkpoint, GoOn<'_>)>,
    ) -> Result<Option<Box<dyn Output>>> {
        if !source.is_readable() {
            return Ok(None);
        }
        source.create_output(&self.data_path(source)?, self.form(source), means, from).map(Some)
    }

    /// Removes data that an earlier run has left, but for finished files and the one of an input that is under construction.
    ///
    /// # Errors
    /// I/O failures.
    pub(super) fn tidy(&self, finished: &[Written], open: Option<&Source>) -> Result<()> {
        let Some(state) = &self.state else { return Ok(()) };
        let data = state.new_part(DATA);
        let mut keep: HashSet<PathBuf> = finished.iter().map(|file| file.path.clone()).collect();
        if let Some(source) = open {
            let path = if self.is_single() { data.clone() } else { data.join(self.data_name(source)) };
            keep.extend([".part", ".part.groups", ".part.lengths"].map(|end| {
                let mut name = path.clone().into_os_string();
                name.push(end);
                PathBuf::from(name)
            }));
        }
        state.new_data()?.iter().try_for_each(|path| only(path, &keep))
    }

    /// Where it is noted how much of the data is written; nowhere with standard output.
    pub(super) fn journal(&self) -> Option<PathBuf> {
        self.state.as_ref().map(State::written)
    }

    /// The folder for the temporary files of the run: in `tmp`, or in the state of the output; none with standard output. It is
    /// the same for every run on this output.
    pub(crate) fn work(&self, tmp: Option<&str>) -> Option<PathBuf> {
        let state = self.state.as_ref()?;
        Some(tmp.map_or_else(
            || state.work(),
            |tmp| {
                let path = std::path::absolute(self.place.path())
                    .unwrap_or_else(|_| self.place.path().to_path_buf());
                Path::new(tmp)
                    .join(format!(".thresher-{:016x}", xxh3_64(path.as_os_str().as_encoded_bytes())))
            },
        ))
    }

    /// Leaves the temporary files to the next run on this output, or not.
    pub(crate) fn keep_work(&self, keep: bool) {
        if let Some(state) = &self.state {
            state.keep_work(keep);
        }
    }

    /// Makes sure that no file of a plan lies where the result goes.
    ///
    /// # Errors
    /// `Error::Parameter` with its name.
    pub(crate) fn refuse_inputs(&self, plan: &Plan) -> Result<()> {
        self.place.refuse_inputs(paths(plan))
    }

    /// Where the evidence of each removal is made; none with standard output.
    pub(crate) fn removed_path(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|state| state.new_part(REMOVED))
    }

    /// Where the signals of a step are made; none with standard output.
    pub(crate) fn signals_path(&self, step: &str) -> Option<PathBuf> {
        self.state.as_ref().map(|state| state.new_part(SIGNALS).join(format!("{step}.parquet")))
    }

    /// Where the table of clusters is made; none with standard output.
    pub(crate) fn clusters_path(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|state| state.new_part(CLUSTERS))
    }

    /// The quarantine of the run; with standard output, bad records are only counted.
    pub(crate) fn quarantine(&self) -> Quarantine {
        self.state
            .as_ref()
            .map_or_else(Quarantine::counting, |state| Quarantine::create(&state.new_part(QUARANTINE)))
    }

    /// The file of the quarantine, for what collects it elsewhere; none with standard output.
    pub(crate) fn quarantine_file(&self) -> Option<PathBuf> {
        self.state.as_ref().map(|state| state.new_part(QUARANTINE).join(quarantine::FILE_NAME))
    }

    /// Keeps the quarantine of a step that has set too much aside, and gives its old and its new place. The step wrote to
    /// `output`.
    pub(crate) fn adopt_rejected(&self, output: &Path) -> Option<(PathBuf, PathBuf)> {
        let state = self.state.as_ref()?;
        let places = [Place::Folder(output.to_path_buf()), Place::Single(output.to_path_buf())];
        places.iter().find_map(|place| state.adopt_rejected(&place.state()?))
    }

    /// Keeps the folder of a quarantine that was made elsewhere, of a result that will not be, and says where.
    pub(crate) fn adopt_quarantine(&self, folder: &Path) -> Option<PathBuf> {
        self.state.as_ref()?.adopt(folder)
    }

    /// Opens a folder for data that lies between the stages of a pipeline; what was made of it stays for the next run.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn between(folder: &Path, plan: &Plan) -> Result<Self> {
        // A run that was killed before it noted that the data is complete has put it there.
        remove_tree(&folder.join(DATA))?;
        let output = Self::open(&folder.to_string_lossy(), true, plan, false)?;
        output.keep_work(true);
        Ok(output)
    }

    /// Puts data in its place at once, without a report: it lies between the stages of a pipeline.
    ///
    /// # Errors
    /// I/O failures.
    pub(crate) fn keep_data(&self, mut data: Vec<Written>) -> Result<Vec<Written>> {
        let (Some(state), Some(to)) = (&self.state, self.place.part(DATA)) else { return Ok(data) };
        let from = state.new_part(DATA);
        remove_tree(&to)?;
        fs::rename(&from, &to).map_err(Error::io("move", &from))?;
        for file in &mut data {
            if let Ok(below) = file.path.strip_prefix(&from) {
                file.path = to.join(below);
            }
        }
        Ok(data)
    }

    /// Where a data file of a step's result, `STEPS/STEP/data/NAME` or `STEPS/STEP/NAME`, is made part of this one.
    ///
    /// # Errors
    /// `Error::Internal` for a file that is none.
    pub(crate) fn adopted_path(&self, steps: &Path, file: &Path) -> Result<PathBuf> {
        let stray = || Error::Internal(format!("`{}` is no data of a step", file.display()));
        let data = self.state.as_ref().ok_or_else(stray)?.new_part(DATA);
        if self.is_single() {
            return Ok(data);
        }
        let below = file.strip_prefix(steps).map_err(|_| stray())?;
        Ok(data.join(below.iter().skip(2).collect::<PathBuf>()))
    }

    /// Finished data and evidence under the names that they will have, and the list of them for `run.json`.
    ///
    /// # Errors
    /// I/O failures while folders are listed.
    pub(crate) fn settle(
        &self,
        mut written: Vec<Written>,
        evidence: impl IntoIterator<Item = Written>,
    ) -> Result<(Vec<Written>, Files)> {
        let mut files = Files::new();
        let staged: HashSet<PathBuf> = written.iter().map(|output| output.path.clone()).collect();
        for output in &mut written {
            if let Some((name, path)) = self.published(&output.path) {
                let is_folder = output.path.is_dir();
                // Data files may lie inside a folder of documents.
                let listing = if is_folder {
                    Some(Listing::of(&output.path, |path| !staged.contains(path))?.digest())
                } else {
                    None
                };
                let slash = if is_folder { "/" } else { "" };
                files.insert(format!("{name}{slash}"), FileEntry::of(output, listing));
                output.path = path;
            }
        }
        for file in evidence {
            if let Some((name, _)) = self.published(&file.path) {
                files.insert(name, FileEntry::of(&file, None));
            }
        }
        Ok((written, files))
    }

    /// The name below the folder, and the final path, of something staged.
    fn published(&self, staged: &Path) -> Option<(String, PathBuf)> {
        let state = self.state.as_ref()?;
        PARTS.iter().find_map(|part| {
            let below = staged.strip_prefix(state.new_part(part)).ok()?;
            let path = self.place.part(part)?;
            if below.as_os_str().is_empty() {
                return Some(((*part).to_owned(), path));
            }
            let names: Vec<_> = below.iter().map(|name| name.to_string_lossy()).collect();
            Some((format!("{part}/{}", names.join("/")), path.join(below)))
        })
    }

    /// Completes the result with its report, as a page and as `run.json`, and puts it in its place. The temporary files go.
    ///
    /// # Errors
    /// I/O failures, and files of somebody else that came into the way during the run.
    pub(crate) fn publish(&self, report: &mut impl Reported) -> Result<()> {
        self.complete(report, true)
    }

    /// The same, but what becomes of the temporary files is decided later.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub(super) fn publish_beside_work(&self, report: &mut impl Reported) -> Result<()> {
        self.complete(report, false)
    }

    fn complete(&self, report: &mut impl Reported, forget_work: bool) -> Result<()> {
        let Some(state) = &self.state else { return Ok(()) };
        let page = commit_bytes(&state.new_part(PAGE), report.page()?.as_bytes())?;
        report.files().insert(PAGE.to_owned(), FileEntry::without_rows(page));
        let mut json =
            serde_json::to_vec_pretty(report).map_err(|error| Error::Internal(error.to_string()))?;
        seal(&mut json);
        commit_bytes(&state.new_part(RUN), &json)?;
        standing::check(&self.place, self.overwrite)?;
        remove_tree(&state.written())?;
        publish::publish(&self.place, state, forget_work, &mut || Ok(()))
    }
}

/// Where the inputs of a plan are.
fn paths(plan: &Plan) -> impl Iterator<Item = &Path> {
    plan.sources.iter().map(|source| source.input().path())
}

/// Removes everything at and below a path but what is to be kept.
fn only(path: &Path, keep: &HashSet<PathBuf>) -> Result<()> {
    if keep.contains(path) {
        return Ok(());
    }
    if !path.is_dir() || keep.iter().all(|kept| !kept.starts_with(path)) {
        return remove_tree(path);
    }
    for entry in fs::read_dir(path).map_err(Error::io("list", path))? {
        only(&entry.map_err(Error::io("list", path))?.path(), keep)?;
    }
    Ok(())
}
