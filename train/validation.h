// Validation while training: the recipe's sets, judged by whoever the program brings along, embedded by all ranks.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/embeddings.h"
#include "data/face_source.h"
#include "engine/engine.h"

namespace likeness::model {
class TorchModel;
}

namespace likeness::train {

class Group;

// Judges a network on one set. Unless the recipe's `best` names another, the first metric of the first set chooses the
// best weights; larger is better.
// With several ranks all of them call it, and rank 0's metrics count.
using Metrics = std::vector<std::pair<std::string, double>>;
using Judge = std::function<Metrics(engine::Engine& network)>;
// Makes the judge for one entry of the recipe's `validate`, before training begins.
using JudgeMaker = std::function<Judge(const std::string& entry)>;

// For judges: engine::embed(network, source, {}, only_rows), shared out. Where `network` is the one in training of
// several ranks, each rank reads and embeds its part of the batches, and rank 0 has the whole archive; the others have
// nothing. Batches are composed as one rank would compose them, so the archive is the same bit for bit for equal
// threads. All ranks call it, and all throw when one does: what is wrong on the rank where it is, kEnvironment on the
// others; Interrupted on all.
std::optional<EmbeddingArchive> embed_over_ranks(engine::Engine& network, const data::FaceSource& source,
                                                 const std::vector<std::int64_t>* only_rows = nullptr);

// What the sets say: by name, in the recipe's order; nothing on ranks other than 0.
struct Verdicts {
  std::vector<std::pair<std::string, Metrics>> sets = {};
  int stopped = 0;  // the signal that cut it short on any rank: the figures are incomplete
};

// The figure that `best` names, "SET/METRIC", or with "" the first metric of the first set; nothing where it is absent.
std::optional<double> chosen_figure(const Verdicts& verdicts, const std::string& best);
// Whether a figure of `best` beats the best so far. Error rates (eer, fmr…, fnmr…, worst_…) are better when smaller.
bool is_better(const std::string& best, double value, const std::optional<double>& so_far);

class Validation {
 public:
  // Every judge is rehearsed on a network of noise, so that a mistake in a set shows before the first step. Errors are
  // the judges'; kUsage when `best` is not "" and names no figure that they gave, listing those there are.
  Validation(const std::vector<std::string>& entries, const JudgeMaker& judges, const ModelContract& contract,
             const std::string& best = "");
  bool empty() const { return judges_.empty(); }
  // All ranks together; the network is in evaluation mode meanwhile. kEnvironment also when a rank is lost.
  Verdicts judge(model::TorchModel& network, Group& group) const;

 private:
  ModelContract contract_;
  std::vector<std::pair<std::string, Judge>> judges_;
};

}  // namespace likeness::train
