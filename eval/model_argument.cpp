#include "eval/model_argument.h"

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/progress.h"
#include "core/signals.h"
#include "engine/engine.h"

namespace likeness::eval {
namespace {

std::unique_ptr<engine::Engine> open_model(const ModelArgument& a, const CommonOptions& common) {
  engine::EngineOptions options;
  options.engine = a.engine;
  options.threads = common.threads;
  options.device = common.device;
  if (!a.preprocess.empty()) options.preprocess = Preprocess::parse(a.preprocess);
  if (!a.geometry.empty()) options.geometry = a.geometry;
  return engine::open_engine(a.model, options);
}

EmbeddingArchive embed_rows(engine::Engine& engine, const data::FaceSource& source, const ModelArgument& a, const std::string& flip,
                            const std::vector<std::int64_t>* rows, const CommonOptions& common) {
  Progress progress("embed", static_cast<std::uint64_t>(rows ? static_cast<std::int64_t>(rows->size()) : source.size()), "pictures");
  std::int64_t before = 0;
  engine::EmbedOptions options;
  options.flip = flip;
  options.batch = a.batch;
  options.threads = common.threads;
  options.skip_bad = a.skip_bad;
  options.assume_aligned = a.assume_aligned;
  options.progress = [&](std::int64_t done, std::int64_t) {
    throw_if_stopped();
    progress.add(static_cast<std::uint64_t>(done - before));
    before = done;
  };
  EmbeddingArchive archive = engine::embed(engine, source, options, rows);
  progress.finish();
  return archive;
}

// What was embedded must be what is asked for.
void check_archive(const EmbeddingArchive& archive, const ModelArgument& a, const std::string& wanted_flip, const data::FaceSource* source) {
  const std::string& flip = a.flip.empty() ? wanted_flip : a.flip;
  if (!flip.empty() && archive.contract.flip != flip)
    fail_usage({"the archive was embedded with another --flip than this evaluation implies", a.model, "flip " + flip, "flip " + archive.contract.flip,
                a.flip.empty() ? "embed again with --flip " + flip + ", or say --flip " + archive.contract.flip + " if it is meant"
                               : "embed the set again with --flip " + flip});
  if (source != nullptr && !archive.data_digest.empty() && source->digest() != archive.data_digest)
    fail_data({"the archive's embeddings are not of this set", a.model, "pictures with digest " + source->digest(), archive.data_digest,
               "give the set that was embedded, or leave SET out"});
}

}  // namespace

void ModelArgument::add_options(CLI::App& app, bool set_required) {
  app.add_option("model", model, "Run folder, checkpoint, .safetensors, .onnx, or an archive *.emb.h5")->required()->type_name("MODEL");
  auto* s = app.add_option("set", set, set_required ? "Set of faces: *.faces.h5, .rec, folder, .bin" : "Set of faces; not needed where MODEL is an archive");
  s->type_name("SET");
  if (set_required) s->required();
  add_run_options(app);
}

void ModelArgument::add_run_options(CLI::App& app) {
  app.add_option("--flip", flip, "Add the mirrored picture's embedding (sum) or not (none)")->check(CLI::IsMember({"none", "sum"}));
  app.add_option("--engine", engine, "What runs the network: auto, openvino, opencv, interpreter, torch");
  app.add_option("--preprocess", preprocess, "Input values of a foreign ONNX file: \"mean=R,G,B;std=R,G,B;order=rgb\"")->type_name("TEXT");
  app.add_option("--geometry", geometry, "Where the face stands in a foreign ONNX file's input: arcface, arcface:SIZE or five points")->type_name("TEXT");
  app.add_option("--batch", batch, "Pictures per call of the network")->check(CLI::Range(1, 4096));
  app.add_flag("--skip-bad", skip_bad, "A picture that cannot be read counts as one without a face");
  app.add_flag("--assume-aligned", assume_aligned, "Take pictures of unknown geometry as they are if their size fits");
}

bool ModelArgument::is_archive() const { return model.ends_with(".emb.h5"); }

void TrialsArgument::add_options(CLI::App& app) {
  app.add_option("--pairs", pairs, "List of pairs: pairs.txt as LFW's, or CSV with columns a,b,label[,fold]")->type_name("FILE");
  app.add_option("--trials", trials, "all: every genuine and impostor pair the set has")->check(CLI::IsMember({"all"}));
}

Embedded embed_planned(const ModelArgument& a, const std::string& flip, const CommonOptions& common, const Plan& plan) {
  std::unique_ptr<data::FaceSource> source;
  if (!a.set.empty()) source = data::open_faces(a.set);
  Embedded out;
  if (a.is_archive()) {
    out.archive = EmbeddingArchive::load(a.model);
    check_archive(out.archive, a, flip, source.get());
    plan(SetIndex::of(out.archive), source.get());
    return out;
  }
  if (!source) fail_usage({"no set of faces", "arguments", "MODEL SET", a.model + " alone", "only an archive *.emb.h5 needs no set"});
  const std::unique_ptr<engine::Engine> engine = open_model(a, common);  // a model that cannot be opened is the first thing to say
  out.rows = plan(SetIndex::of(*source), source.get());
  out.engine = engine->name();
  const std::string wanted = !a.flip.empty() ? a.flip : !flip.empty() ? flip : "none";
  out.archive = embed_rows(*engine, *source, a, wanted, out.rows.empty() ? nullptr : &out.rows, common);
  return out;
}

Trials resolve(const TrialsArgument& t, const SetIndex& set, const data::FaceSource* source) {
  if (!t.pairs.empty() && !t.trials.empty())
    fail_usage({"two kinds of trials", "arguments", "--pairs FILE or --trials all", "both", ""});
  if (!t.pairs.empty()) return read_trials(t.pairs, set);
  if (!t.trials.empty()) return all_trials(set);
  if (source != nullptr) return stored_trials(*source, set);
  fail_usage({"no trials", "arguments", "--pairs FILE or --trials all", "neither", ""});
}

EmbeddedTrials embed_trials(const ModelArgument& a, const TrialsArgument& t, const std::string& flip, const CommonOptions& common) {
  EmbeddedTrials out;
  Embedded e = embed_planned(a, flip, common, [&](const SetIndex& set, const data::FaceSource* source) {
    out.trials = resolve(t, set, source);
    return needed_rows(out.trials);
  });
  if (!e.rows.empty()) out.trials = remap(out.trials, e.rows);
  out.archive = std::move(e.archive);
  out.engine = std::move(e.engine);
  return out;
}

EmbeddingArchive embed_set(const ModelArgument& a, const CommonOptions& common, std::string* engine_name) {
  const auto source = data::open_faces(a.set);
  const auto engine = open_model(a, common);
  *engine_name = engine->name();
  return embed_rows(*engine, *source, a, a.flip.empty() ? "none" : a.flip, nullptr, common);
}

}  // namespace likeness::eval
