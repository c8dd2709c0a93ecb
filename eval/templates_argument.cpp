#include "eval/templates_argument.h"

#include <CLI/CLI.hpp>

#include "core/error.h"

namespace likeness::eval {

void TemplatesArgument::add_options(CLI::App& app, bool with_table) {
  if (with_table)
    app.add_option("--templates", table, "CSV picture,template,media,subject: pairs then name templates")
        ->type_name("FILE");
  app.add_option("--ijb", ijb, "Folder meta of IJB-B or IJB-C: templates, detector scores and the protocol's lists")
      ->type_name("FOLDER");
  app.add_option("--image-norm", image_norm,
                 "Templates: keep the length of a picture's embedding as its weight (kept), or not (removed)")
      ->check(CLI::IsMember({"kept", "removed"}))
      ->capture_default_str();
  app.add_option("--pooling", pooling,
                 "Templates: mean within each medium, then sum (media), or mean of all pictures (flat)")
      ->check(CLI::IsMember({"media", "flat"}))
      ->capture_default_str();
  app.add_option("--detector-weight", detector_weight,
                 "Templates: weigh pictures by the detector's score (on where --ijb has scores)")
      ->check(CLI::IsMember({"on", "off"}));
}

TemplateList TemplatesArgument::read_ijb(const SetIndex& set, IjbFiles& files) const {
  files = find_ijb_files(ijb);
  TemplateList list = read_ijb_templates(files.templates, set);
  if (!files.scores.empty() && detector_weight != "off") read_ijb_scores(files.scores, set, list);
  return list;
}

PoolOptions TemplatesArgument::options(const TemplateList& list) const {
  PoolOptions o;
  o.keep_norms = image_norm == "kept";
  o.by_media = pooling == "media";
  o.detector_weight = detector_weight.empty() ? list.has_weights : detector_weight == "on";
  return o;
}

EmbeddedTrials embed_templates(const ModelArgument& model, const TemplatesArgument& a, const TrialsArgument& t,
                               const std::string& flip, const CommonOptions& common, PoolOptions* pooling) {
  if (!a.table.empty() && !a.ijb.empty())
    fail_usage({"two lists of templates", "arguments", "--templates FILE or --ijb FOLDER", "both", ""});
  EmbeddedTrials out;
  TemplateList list;
  const Embedded e = embed_planned(model, flip, common, [&](const SetIndex& set, const data::FaceSource*) {
    if (a.ijb.empty()) {
      list = read_template_table(a.table, set).list;
      out.trials = resolve(t, list.index(), nullptr);
    } else {
      IjbFiles files;
      list = a.read_ijb(set, files);
      if (!t.trials.empty())
        fail_usage({"IJB's templates come with a list of pairs", "--ijb", "no --trials", "--trials " + t.trials, ""});
      const std::filesystem::path pairs = t.pairs.empty() ? files.pairs : std::filesystem::path(t.pairs);
      if (pairs.empty())
        fail_data(
            {"the folder has no list of pairs", a.ijb, "a file *_template_pair_label.txt, or --pairs FILE", "", ""});
      out.trials = read_ijb_pairs(pairs, list);
    }
    return list.needed_rows();
  });
  out.pictures = static_cast<std::int64_t>(list.needed_rows().size());
  if (!e.rows.empty()) list.remap(e.rows);
  *pooling = a.options(list);
  out.archive = pool(e.archive, list, *pooling, common.threads);
  out.engine = e.engine;
  return out;
}

}  // namespace likeness::eval
