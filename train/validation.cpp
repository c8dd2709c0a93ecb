#include "train/validation.h"

#include <torch/torch.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/signals.h"
#include "train/joining.h"
#include "train/live_engine.h"
#include "train/rehearsal.h"

namespace likeness::train {
namespace {

constexpr int kFailed = 1000;  // larger than any signal

// Rows [first, last) are a rank's: whole batches.
struct Share {
  std::int64_t first, last;
  std::int64_t size() const { return last - first; }
};

Share share_of(std::int64_t rows, std::int64_t batch, int rank, int ranks) {
  const std::int64_t batches = (rows + batch - 1) / batch;
  const auto edge = [&](std::int64_t r) { return std::min(rows, batches * r / ranks * batch); };
  return {edge(rank), edge(rank + 1)};
}

// [rows, D + 2] f32 of an archive: embedding, norm, and whether the picture failed.
at::Tensor pack(const EmbeddingArchive& part, std::int64_t rows, std::int64_t dimension) {
  at::Tensor packed = at::zeros({rows, dimension + 2});
  float* out = packed.mutable_data_ptr<float>();
  for (std::size_t i = 0; i < part.size(); ++i, out += dimension + 2) {
    std::copy_n(part.embeddings.data() + i * static_cast<std::size_t>(dimension), dimension, out);
    out[dimension] = part.norms[i];
    out[dimension + 1] = part.failed[i];
  }
  return packed;
}

void unpack(const at::Tensor& packed, const Share& share, EmbeddingArchive* archive) {
  const std::int64_t dimension = archive->dimension;
  const float* in = packed.const_data_ptr<float>();
  for (std::int64_t i = share.first; i < share.last; ++i, in += dimension + 2) {
    std::copy_n(in, dimension, archive->embeddings.data() + i * dimension);
    archive->norms[static_cast<std::size_t>(i)] = in[dimension];
    archive->failed[static_cast<std::size_t>(i)] = in[dimension + 1] != 0;
  }
}

EmbeddingArchive embed_share(engine::Engine& network, const data::FaceSource& source,
                             const std::vector<std::int64_t>& rows, Group& group) {
  EmbeddingArchive part;
  std::exception_ptr failure;
  int trouble = 0;
  try {
    if (!rows.empty()) part = engine::embed(network, source, {}, &rows);
  } catch (const Interrupted& stop) {
    trouble = stop.signal();
  } catch (...) {
    failure = std::current_exception();
    trouble = kFailed;
  }
  trouble = static_cast<int>(largest_of_ranks(group, static_cast<float>(trouble)));
  if (failure) std::rethrow_exception(failure);
  if (trouble == kFailed)
    fail_environment({.what = "another rank could not embed its part of a validation set",
                      .where = source.path().string(),
                      .hint = "that rank says why"});
  if (trouble != 0) throw Interrupted(trouble);
  return part;
}

}  // namespace

std::optional<EmbeddingArchive> embed_over_ranks(engine::Engine& network, const data::FaceSource& source,
                                                 const std::vector<std::int64_t>* only_rows) {
  const auto* live = dynamic_cast<const LiveEngine*>(&network);
  Group* group = live == nullptr ? nullptr : live->group();
  std::vector<std::int64_t> rows(static_cast<std::size_t>(source.size()));
  std::iota(rows.begin(), rows.end(), 0);
  if (only_rows != nullptr) rows = *only_rows;
  if (group == nullptr || group->size() == 1 || rows.empty()) return engine::embed(network, source, {}, &rows);

  std::vector<Share> shares;
  std::int64_t longest = 0;
  for (int rank = 0; rank < group->size(); ++rank) {
    shares.push_back(
        share_of(static_cast<std::int64_t>(rows.size()), engine::EmbedOptions{}.batch, rank, group->size()));
    longest = std::max(longest, shares.back().size());
  }
  const Share& own = shares[static_cast<std::size_t>(group->rank())];
  const EmbeddingArchive part =
      embed_share(network, source, {rows.begin() + own.first, rows.begin() + own.last}, *group);
  const auto parts = group->all_gather(pack(part, longest, network.contract().dimension));
  if (group->rank() != 0) return std::nullopt;
  EmbeddingArchive archive = engine::blank_archive(network, source, "none", rows);
  for (std::size_t rank = 0; rank < parts.size(); ++rank) unpack(parts[rank], shares[rank], &archive);
  return archive;
}

namespace {

// What stands behind the first slash: sets' names have none, metrics' may.
std::pair<std::string, std::string> set_and_metric(const std::string& best) {
  const std::size_t cut = best.find('/');
  return {best.substr(0, cut), cut == std::string::npos ? "" : best.substr(cut + 1)};
}

}  // namespace

std::optional<double> chosen_figure(const Verdicts& verdicts, const std::string& best) {
  const auto [wanted, metric] = set_and_metric(best);
  for (const auto& [set, metrics] : verdicts.sets)
    for (const auto& [name, value] : metrics)
      if (best.empty() || (set == wanted && name == metric)) return value;
  return std::nullopt;
}

bool is_better(const std::string& best, double value, const std::optional<double>& so_far) {
  if (!so_far) return true;
  const std::string metric = set_and_metric(best).second;
  for (const char* error : {"eer", "fmr", "fnmr", "worst_"})
    if (metric.starts_with(error)) return value < *so_far;
  return value > *so_far;
}

Validation::Validation(const std::vector<std::string>& entries, const JudgeMaker& judges, const ModelContract& contract,
                       const std::string& best)
    : contract_(contract) {
  Verdicts rehearsed;
  for (const std::string& entry : entries) {
    judges_.emplace_back(entry_name(entry), judges(entry));
    NoiseEngine rehearsal(contract_);
    rehearsed.sets.emplace_back(judges_.back().first, judges_.back().second(rehearsal));
  }
  if (best.empty() || chosen_figure(rehearsed, best)) return;
  std::string have;
  for (const auto& [set, metrics] : rehearsed.sets)
    for (const auto& [name, value] : metrics) have += (have.empty() ? "" : ", ") + set + "/" + name;
  fail_usage({.what = "no such figure", .where = "best", .expected = "one of " + have, .got = best});
}

Verdicts Validation::judge(model::TorchModel& network, Group& group) const {
  Verdicts verdicts;
  for (const auto& [name, judge] : judges_) {
    LiveEngine live(network, contract_, &group);
    int stopped = 0;
    try {
      const Metrics metrics = judge(live);
      if (group.rank() == 0) verdicts.sets.emplace_back(name, metrics);
    } catch (const Interrupted& stop) {
      stopped = stop.signal();
    }
    // Rank 0 alone may have been stopped, while it judged.
    verdicts.stopped = static_cast<int>(largest_of_ranks(group, static_cast<float>(stopped)));
    if (verdicts.stopped != 0) break;
  }
  return verdicts;
}

}  // namespace likeness::train
