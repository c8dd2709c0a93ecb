// The options of verbs that compare templates: which pictures make them, and how.
#pragma once

#include <string>

#include "core/cli.h"
#include "eval/model_argument.h"
#include "eval/templates.h"

namespace likeness::eval {

struct TemplatesArgument {
  std::string table;  // --templates FILE: a table of read_template_table()
  std::string ijb;    // --ijb FOLDER: all lists of IJB-B or IJB-C
  std::string image_norm = "kept", pooling = "media", detector_weight;  // "" : on where --ijb has scores

  // with_table: also --templates, for verbs whose lists do not make templates themselves.
  void add_options(CLI::App& app, bool with_table);
  bool any() const { return !table.empty() || !ijb.empty(); }
  // IJB's templates with their detector scores, and the other lists. Needs --ijb.
  TemplateList read_ijb(const SetIndex& set, IjbFiles& files) const;
  PoolOptions options(const TemplateList& list) const;
};

// Trials over templates; the rows of the archive are templates. Lists first, then the pictures they need, then pooling.
// With --ijb the folder's list of pairs, unless trials name another; with --templates, trials name templates as they
// name pictures.
EmbeddedTrials embed_templates(const ModelArgument& model, const TemplatesArgument& templates,
                               const TrialsArgument& trials, const std::string& flip, const CommonOptions& common,
                               PoolOptions* pooling);

}  // namespace likeness::eval
