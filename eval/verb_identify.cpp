#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/version.h"
#include "eval/identify.h"
#include "eval/model_argument.h"
#include "eval/templates_argument.h"
#include "eval/verbs.h"

namespace likeness::eval {
namespace {

struct Arguments {
  ModelArgument model;
  TemplatesArgument templates;
  std::string roles, fuse = "score", candidates;
  FirstPictureRule rule;
  std::vector<std::string> distractors, at;
  std::int64_t rank = 1, traffic = 10'000;
  int top = 10;
};

Enrolment plan(const Arguments& a, const SetIndex& set) {
  Enrolment e;
  if (!a.templates.ijb.empty()) {
    IjbFiles files;
    TemplateList list = a.templates.read_ijb(set, files);
    if (files.galleries.empty() || files.probes.empty())
      fail_data({"the folder has no lists for identification", a.templates.ijb,
                 "*_1N_gallery_*.csv and *_1N_probe_*.csv", "", ""});
    e = read_ijb_roles(files.galleries, files.probes, std::move(list));
  } else {
    e = a.roles.empty() ? first_picture(set, a.rule) : read_roles(a.roles, set);
  }
  if (parse_fusion(a.fuse) == Fusion::kTemplate) fuse_galleries(e);
  return e;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// gallery,probe,rank,entry,score,mate: the best entries of every search.
std::string candidates_csv(const Identification& found, const Enrolment& e,
                           const std::vector<MappedEmbeddings>& distractors, int top) {
  std::vector<std::string> foreign;
  for (const MappedEmbeddings& d : distractors)
    for (std::string& key : d.keys()) foreign.push_back(std::move(key));
  std::string text = "gallery,probe,rank,entry,score,mate\n";
  for (std::size_t g = 0; g < found.searches.size(); ++g) {
    const auto& entries = e.galleries[g].entries;
    for (std::size_t i = 0; i < found.searches[g].candidates.size(); ++i) {
      const Candidate& c = found.searches[g].candidates[i];
      if (c.entry < 0) continue;
      const std::int64_t probe = e.probes[i / static_cast<std::size_t>(top)];
      auto at = static_cast<std::size_t>(c.entry);
      const bool enrolled = at < entries.size();
      const bool ours = at < entries.size() + e.distractors.size();
      const std::int64_t entry = enrolled ? entries[at] : ours ? e.distractors[at - entries.size()] : -1;
      const auto name = [&](std::int64_t t) { return e.templates.names[static_cast<std::size_t>(t)]; };
      const auto person = [&](std::int64_t t) { return e.templates.subjects[static_cast<std::size_t>(t)]; };
      char score[32];
      std::snprintf(score, sizeof score, "%.9g", c.score);
      text += csv_field(e.galleries[g].name) + "," + csv_field(name(probe)) + "," +
              std::to_string(i % static_cast<std::size_t>(top) + 1) + "," +
              csv_field(ours ? name(entry) : foreign[at - entries.size() - e.distractors.size()]) + "," + score + "," +
              (enrolled && person(entry) == person(probe) ? "1" : "0") + "\n";
    }
  }
  return text;
}

CommandResult run(const Arguments& a, const CommonOptions& common) {
  IdentifyOptions options;
  options.rank = a.rank;
  options.traffic = a.traffic;
  options.threads = common.threads;
  options.candidates = a.candidates.empty() ? 0 : a.top;
  if (!a.at.empty()) {
    options.at.clear();
    for (const std::string& text : a.at) options.at.push_back(parse_target(text, "fpir"));
  }
  parse_fusion(a.fuse);
  if (!a.templates.ijb.empty() && !a.roles.empty())
    fail_usage({"two protocols", "arguments", "--roles FILE or --ijb FOLDER", "both", ""});
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  if (!a.candidates.empty()) check_output(a.candidates, if_exists);
  std::vector<MappedEmbeddings> distractors;
  for (const std::string& path : a.distractors) distractors.emplace_back(path);

  Enrolment enrolment;
  const Embedded e = embed_planned(a.model, "", common, [&](const SetIndex& set, const data::FaceSource*) {
    enrolment = plan(a, set);
    return enrolment.templates.needed_rows();
  });
  if (!e.rows.empty()) enrolment.templates.remap(e.rows);
  const PoolOptions pooling = a.templates.options(enrolment.templates);
  const EmbeddingArchive entries = pool(e.archive, enrolment.templates, pooling, common.threads);

  std::uint64_t each = enrolment.distractors.size(), comparisons = 0;
  for (const MappedEmbeddings& d : distractors) each += static_cast<std::uint64_t>(d.size());
  for (const Enrolment::Gallery& g : enrolment.galleries)
    comparisons += (g.entries.size() + each) * enrolment.probes.size();
  Progress progress("search", comparisons, "comparisons");
  options.progress = [&](std::uint64_t done) { progress.add(done); };
  Identification found = identify(entries, enrolment, distractors, options);
  progress.finish();

  Result& r = found.result;
  r.model["path"] = a.model.model;
  if (!e.engine.empty()) r.model["engine"] = e.engine;
  if (!a.model.set.empty()) r.data["path"] = a.model.set;
  if (!a.distractors.empty()) r.data["distractor_archives"] = a.distractors;
  r.conditions["templates"] = pooling.to_json();
  r.conditions["fusion"] = a.fuse;
  r.conditions["software"] = "likeness " + version();
  if (!a.candidates.empty())
    write_atomically(a.candidates, if_exists, candidates_csv(found, enrolment, distractors, a.top));
  return {0, r.to_json(), r.to_text()};
}

}  // namespace

Verb make_identify_verb() {
  return {"identify", "Search people among many: rank-k and CMC, FNIR at FPIR, false alarms a day",
          "likeness eval identify runs/mbf lfw.faces.h5 --held-out 0.2 --distractors million.emb.h5 --out lfw-1n.json",
          [](CLI::App& app) {
            auto a = std::make_shared<Arguments>();
            a->model.add_options(app, false);
            a->templates.add_options(app, false);
            app.add_option("--roles", a->roles,
                           "CSV picture,template,media,subject,role; role: gallery, probe, distractor, none")
                ->type_name("FILE");
            app.add_option("--held-out", a->rule.held_out,
                           "Without --roles: first pictures are the gallery; share of people kept out of it")
                ->capture_default_str();
            app.add_option("--seed", a->rule.seed, "Draws who is held out")->capture_default_str();
            app.add_option("--distractors", a->distractors,
                           "Archives *.emb.h5 whose every picture is in the gallery and nobody's mate (mapped)")
                ->type_name("FILE");
            app.add_option("--fuse", a->fuse,
                           "Several entries of a person: best score counts (score), or pool them into one (template)")
                ->check(CLI::IsMember({"score", "template"}))
                ->capture_default_str();
            app.add_option("--at", a->at, "Operating points: fpir=1e-2, threshold=0.35 (may be repeated)")
                ->type_name("POINT");
            app.add_option("--rank", a->rank, "A mate counts as found only among the RANK best people")
                ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}))
                ->capture_default_str();
            app.add_option("--traffic", a->traffic, "Searches a day of people who are not enrolled, for alarms_per_day")
                ->check(CLI::NonNegativeNumber)
                ->capture_default_str();
            app.add_option("--candidates", a->candidates, "Also write the best entries of every search as CSV")
                ->type_name("FILE");
            app.add_option("--top", a->top, "Entries of each search in --candidates")
                ->check(CLI::Range(1, 10'000))
                ->capture_default_str();
            return [a](const CommonOptions& common) { return run(*a, common); };
          }};
}

}  // namespace likeness::eval
