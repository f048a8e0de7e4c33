//! The Python module `thresher._core`: convert, release the GIL, call, wrap.
//!
//! Nothing is computed here. Each file binds one family of functions; `boundary` is the only way from Python
//! into the core, and `import` the only place that takes over foreign Arrow memory.

mod about;
mod arrow_out;
mod boundary;
mod chat;
mod decontaminate;
mod dedup;
mod errors;
mod filters;
mod generate;
mod import;
mod language;
mod minhash;
mod novelty;
mod output;
mod pack;
mod params;
mod permutation;
mod pii;
mod quality;
mod ranks;
mod results;
mod runs;
mod texts;
mod tokenizers;
mod tokens;
mod validate;

use pyo3::prelude::*;

/// The native half of thresher. Private: use the functions of `thresher`.
#[pymodule(gil_used = false)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::about::{available_threads, instruction_set, machine, scheme_version, version};
    #[pymodule_export]
    use crate::arrow_out::ArrowArray;

    /// Chat data: rows of JSON in, rows of JSON or a report out.
    #[pymodule(gil_used = false)]
    mod chat {
        #[pymodule_export]
        use crate::chat::convert::{convert, formats};
        #[pymodule_export]
        use crate::chat::fit::{fit, mismatch, probe};
        #[pymodule_export]
        use crate::chat::template::{render, render_variables};
        #[pymodule_export]
        use crate::chat::validate::{checks, targets, validate};
    }

    /// Signatures and near-duplicates of texts in memory.
    #[pymodule(gil_used = false)]
    mod dedup {
        #[pymodule_export]
        use crate::dedup::{DedupOutcome, choose_banding, dedup};
        #[pymodule_export]
        use crate::minhash::minhash;
    }

    /// What is known of a text.
    #[pymodule(gil_used = false)]
    mod filter {
        #[pymodule_export]
        use crate::decontaminate::{Contamination, decontaminate};
        #[pymodule_export]
        use crate::filters::{apply, catalogue, signals};
        #[pymodule_export]
        use crate::language::LanguageDetector;
        #[pymodule_export]
        use crate::novelty::{Novelty, rouge_l};
        #[pymodule_export]
        use crate::pii::{find_pii, pii_types, redact_pii};
        #[pymodule_export]
        use crate::quality::Classifier;
    }

    /// What a generation asks of the core.
    #[pymodule(gil_used = false)]
    mod generate {
        #[pymodule_export]
        use crate::generate::Schema;
    }

    /// Results of earlier runs, and what a run would take.
    #[pymodule(gil_used = false)]
    mod results {
        #[pymodule_export]
        use crate::results::{explain, plan, verify, what_if};
    }

    /// Runs over files.
    #[pymodule(gil_used = false)]
    mod runs {
        #[pymodule_export]
        use crate::output::Output;
        #[pymodule_export]
        use crate::runs::{
            convert_files, decontaminate_files, dedup_files, filter_files, language_files, mix_files,
            pack_files, parameters, pii_files, pipeline_files, quality_files, quality_train_files,
            render_files, shuffle_files, tokenize_files, train_files, validate_files,
        };
    }

    /// Random orders of numbers.
    #[pymodule(gil_used = false)]
    mod shuffle {
        #[pymodule_export]
        use crate::permutation::Permutation;
    }

    /// Texts as ids of tokens, files of tokens, and bins of sequences.
    #[pymodule(gil_used = false)]
    mod tokens {
        #[pymodule_export]
        use crate::pack::{PackPlan, pack, plan};
        #[pymodule_export]
        use crate::tokens::{Tokenizer, info, merge};
    }

    /// Training of tokenizers.
    #[pymodule(gil_used = false)]
    mod tokenizers {
        #[pymodule_export]
        use crate::tokenizers::train;
    }

    /// This library is the whole Rust program of the process, so its panic hook is ours to set. The modules inside are
    /// made known to the import system, which asks for them by their whole names.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        thresher_io::quiet_guarded_panics();
        let known = module.py().import("sys")?.getattr("modules")?;
        for name in
            ["chat", "dedup", "filter", "generate", "results", "runs", "shuffle", "tokenizers", "tokens"]
        {
            let inner = module.getattr(name)?;
            let whole = format!("thresher._core.{name}");
            inner.setattr("__name__", &whole)?;
            known.set_item(whole, inner)?;
        }
        Ok(())
    }
}
