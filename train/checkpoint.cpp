#include "train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "core/file.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFormat = "likeness.checkpoint/1";
constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kAverageFile = "ema.safetensors";

// Where a rank's rows of the head, and the optimizer's, are.
std::array<std::string, 2> part_files(int rank, int size) {
  const std::string own = (size == 1 ? "" : "-" + std::to_string(rank)) + ".safetensors";
  return {"head" + own, "optimizer" + own};
}

std::vector<std::pair<std::int64_t, fs::path>> checkpoints_of(const fs::path& run) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", ignored)) {
    const std::string name = entry.path().filename().string();
    std::int64_t step = 0;
    if (!name.starts_with("step-")) continue;
    const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), step);
    if (error == std::errc() && end == name.data() + name.size()) found.emplace_back(step, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

template <typename T>
bool finite(const model::WeightTensor& tensor) {
  for (std::size_t i = 0; i + sizeof(T) <= tensor.data.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, tensor.data.data() + i, sizeof value);
    if (!std::isfinite(value)) return false;
  }
  return true;
}

void refuse_non_finite(const model::Weights& weights, const fs::path& folder, const std::string& file) {
  for (const auto& [name, tensor] : weights.tensors)
    if ((tensor.dtype == "F32" && !finite<float>(tensor)) || (tensor.dtype == "F64" && !finite<double>(tensor)))
      fail_data(
          {.what = "weights are no longer finite, no checkpoint is written",
           .where = fmt::format("{}/{}, {}", folder.string(), file, name),
           .expected = "finite numbers",
           .got = "NaN or infinity",
           .hint =
               "the newest checkpoint is sound: lower optimizer.rate, or use a warm-up, and --resume or start again"});
}

}  // namespace

std::string row_range(const std::string& name, std::int64_t begin, std::int64_t end) {
  return fmt::format("{}[{}:{}]", name, begin, end);
}

model::WeightTensor join_rows(const model::Weights& weights, const std::string& name, std::int64_t rows,
                              std::int64_t columns, const std::string& where) {
  std::vector<std::pair<std::int64_t, const model::WeightTensor*>> parts;
  for (const auto& [key, tensor] : weights.tensors) {
    long long begin = 0, end = 0;
    int used = 0;
    if (!key.starts_with(name + "[") ||
        std::sscanf(key.c_str() + name.size(), "[%lld:%lld]%n", &begin, &end, &used) != 2)
      continue;
    if (static_cast<std::size_t>(used) + name.size() != key.size() || tensor.shape.size() != 2 ||
        tensor.shape[0] != end - begin || tensor.shape[1] != columns)
      fail_data({.what = "rows of a class-sharded tensor do not fit",
                 .where = where + ", " + key,
                 .expected = fmt::format("{} columns", columns),
                 .got = "another shape"});
    parts.emplace_back(begin, &tensor);
  }
  std::sort(parts.begin(), parts.end());
  model::WeightTensor joined;
  joined.shape = {rows, columns};
  std::int64_t next = 0;
  for (const auto& [begin, tensor] : parts) {
    if (begin != next) break;
    joined.dtype = tensor->dtype;
    joined.data.insert(joined.data.end(), tensor->data.begin(), tensor->data.end());
    next += tensor->shape[0];
  }
  if (next != rows)
    fail_data({.what = "rows of a class-sharded tensor are missing",
               .where = where + ", " + name,
               .expected = fmt::format("{} rows", rows),
               .got = fmt::format("{} in sequence", next)});
  return joined;
}

namespace {

void write_state(const fs::path& folder, const Checkpoint& c, const std::vector<std::string>& names) {
  nlohmann::json files;
  for (const std::string& name : names)
    files[name] = {{"bytes", fs::file_size(folder / name)}, {"xxh3_128", file_digest(folder / name)}};
  const Progressed& p = c.progress;
  nlohmann::json state = {{"format", kFormat},
                          {"step", p.step},
                          {"epoch", p.epoch},
                          {"position", p.position},
                          {"seconds", p.seconds},
                          {"loss", p.loss},
                          {"best_step", p.best_step},
                          {"rate_factor", p.rate_factor},
                          {"settings", c.settings},
                          {"data_digest", c.data_digest},
                          {"files", files}};
  state["best"] = p.best ? nlohmann::json(*p.best) : nlohmann::json();
  write_atomically(folder / "state.json", IfExists::kRefuse, state.dump(2) + "\n");
}

}  // namespace

void fail_for_another_rank(const fs::path& folder) {
  fail_environment({.what = "another rank could not write its part of a checkpoint",
                    .where = folder.string(),
                    .hint = "that rank says why; older checkpoints are sound"});
}

void save_checkpoint(const fs::path& folder, const Checkpoint& c, const SavingRanks& ranks) {
  std::exception_ptr failure;
  // Every rank comes to every meeting below, whatever became of its own part: none waits for one that has given up.
  const auto attempt = [&failure](const std::function<void()>& act) {
    try {
      act();
    } catch (...) {
      failure = std::current_exception();
    }
  };
  const auto meet = [&] {
    if (ranks.all(!failure)) return;
    if (failure) std::rethrow_exception(failure);
    fail_for_another_rank(folder);
  };
  const auto write_own = [&](const fs::path& temporary) {
    if (ranks.rank == 0) {
      refuse_non_finite(c.model.weights, folder, kModelFile);
      model::save_model(temporary / kModelFile, c.model, IfExists::kRefuse);
      if (c.average) {
        refuse_non_finite(c.average->weights, folder, kAverageFile);
        model::save_model(temporary / kAverageFile, *c.average, IfExists::kRefuse);
      }
    }
    const auto parts = part_files(ranks.rank, ranks.size);
    refuse_non_finite(c.head, folder, parts[0]);
    refuse_non_finite(c.optimizer, folder, parts[1]);
    model::write_safetensors(temporary / parts[0], c.head, IfExists::kRefuse);
    model::write_safetensors(temporary / parts[1], c.optimizer, IfExists::kRefuse);
  };
  if (ranks.rank != 0) {
    const fs::path temporary = ranks.from_rank_0("");
    if (temporary.empty()) fail_for_another_rank(folder);
    attempt([&] { write_own(temporary); });
    meet();
    meet();  // the folder has its name
    return;
  }
  bool announced = false, parts_are_there = false;
  attempt([&] {
    fs::create_directories(folder.parent_path());
    write_folder_atomically(folder, IfExists::kReplace, [&](const fs::path& temporary) {
      announced = true;
      ranks.from_rank_0(temporary.string());
      attempt([&] { write_own(temporary); });
      meet();
      parts_are_there = true;
      std::vector<std::string> names = {kModelFile};
      if (c.average) names.push_back(kAverageFile);
      for (int r = 0; r < ranks.size; ++r)
        for (const std::string& part : part_files(r, ranks.size)) names.push_back(part);
      write_state(temporary, c, names);
    });
  });
  if (!announced) ranks.from_rank_0("");
  // Where the first meeting failed the others have gone, and come to no second.
  if (parts_are_there && ranks.size > 1) return meet();
  if (failure) std::rethrow_exception(failure);
}

Checkpoint load_checkpoint(const fs::path& folder) {
  const fs::path state_file = folder / "state.json";
  const auto refuse = [](const std::string& what, const fs::path& where, const std::string& expected,
                         const std::string& got) {
    fail_data({.what = what,
               .where = where.string(),
               .expected = expected,
               .got = got,
               .hint = "remove this checkpoint's folder and --resume goes on from the one before"});
  };
  Checkpoint c;
  std::map<std::string, std::string> digests;
  try {
    const nlohmann::json state = nlohmann::json::parse(read_text(state_file));
    if (state.at("format") != kFormat)
      refuse("checkpoint of another version", state_file, kFormat, state.at("format").dump());
    for (const auto& [name, facts] : state.at("files").items()) digests[name] = facts.at("xxh3_128");
    if (digests.count(kModelFile) == 0) refuse("checkpoint without a model", state_file, kModelFile, "other files");
    c.progress = {.step = state.at("step"),
                  .epoch = state.at("epoch"),
                  .position = state.at("position"),
                  .seconds = state.at("seconds"),
                  .loss = state.at("loss"),
                  .best = {},
                  .best_step = state.at("best_step"),
                  .rate_factor = state.value("rate_factor", 1.0)};
    if (!state.at("best").is_null()) c.progress.best = state.at("best").get<double>();
    c.settings = state.at("settings").get<std::map<std::string, std::string>>();
    c.data_digest = state.at("data_digest");
  } catch (const nlohmann::json::exception& e) {
    refuse("not the state of a checkpoint", state_file, kFormat, e.what());
  }
  for (const auto& [name, digest] : digests) {
    const std::string got = file_digest(folder / name);
    if (got != digest) refuse("file of a checkpoint was altered", folder / name, "digest " + digest, got);
    if (name == kModelFile) continue;
    if (name == kAverageFile) {
      c.average = model::load_model(folder / name);
      continue;
    }
    // The parts of several ranks hold different rows of the same tensors.
    model::Weights part = model::read_safetensors(folder / name);
    model::Weights& whole = name.starts_with("head") ? c.head : c.optimizer;
    whole.metadata = part.metadata;
    whole.tensors.merge(part.tensors);
  }
  c.model = model::load_model(folder / kModelFile);
  return c;
}

fs::path checkpoint_folder(const fs::path& run, std::int64_t step) {
  return run / "checkpoints" / ("step-" + std::to_string(step));
}

std::optional<fs::path> newest_checkpoint(const fs::path& run) {
  const auto all = checkpoints_of(run);
  if (all.empty()) return std::nullopt;
  return all.back().second;
}

std::vector<fs::path> all_checkpoints(const fs::path& run) {
  std::vector<fs::path> paths;
  for (const auto& [step, path] : checkpoints_of(run)) paths.push_back(path);
  return paths;
}

void prune_checkpoints(const fs::path& run, std::int64_t keep) {
  auto all = checkpoints_of(run);
  const auto surplus = static_cast<std::int64_t>(all.size()) - keep;
  for (std::int64_t i = 0; i < surplus; ++i) fs::remove_all(all[static_cast<std::size_t>(i)].second);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", ignored))
    if (entry.path().filename().string().starts_with(".step-")) fs::remove_all(entry.path(), ignored);
}

}  // namespace likeness::train
