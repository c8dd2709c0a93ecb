#include "train/joining.h"

#include <torch/torch.h>

#include <cmath>
#include <cstdio>

#include "core/error.h"
#include "core/progress.h"
#include "core/rng.h"
#include "train/device.h"
#include "train/dist/preflight.h"

namespace likeness::train {
namespace {

constexpr std::int64_t kLongestPath = 4096;

}  // namespace

std::unique_ptr<Group> join_ranks(RankEnvironment ranks, const Recipe& recipe, const std::string& data_digest,
                                  at::Device device) {
  if (ranks.group.size == 1) return solo_group();
  ranks.group.timeout = std::chrono::milliseconds(std::llround(1000 * recipe.rank_timeout));
  ranks.group.address = reachable_address(ranks.group.host);
  std::unique_ptr<Group> group = device.is_cpu() ? gloo_group(ranks.group) : gpu_group(ranks.group, nccl_maker());
  std::string alike = data_digest + c10::DeviceTypeName(device.type());
  for (const auto& [key, value] : recipe.settings()) alike += key + "=" + value + "\n";
  char digest[17];
  std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(fnv1a(alike)));
  preflight(*group, {.address = ranks.group.address, .digest = digest, .device = device});
  if (group->rank() > 0) set_progress_quiet(true);
  return group;
}

float largest_of_ranks(Group& group, float mine) {
  at::Tensor all = at::full({1}, mine);
  group.all_reduce_max(all);
  return all.item<float>();
}

SavingRanks saving_ranks(Group& group) {
  if (group.size() == 1) return {};
  return {.rank = group.rank(),
          .size = group.size(),
          .all = [&group](bool mine) { return largest_of_ranks(group, mine ? 0 : 1) == 0; },
          .from_rank_0 =
              [&group](const std::string& text) {
                LIKENESS_ASSERT(text.size() < kLongestPath);
                at::Tensor bytes = at::zeros({kLongestPath}, at::kByte);
                std::copy(text.begin(), text.end(), bytes.mutable_data_ptr<std::uint8_t>());
                group.broadcast(bytes, 0);
                return std::string(reinterpret_cast<const char*>(bytes.const_data_ptr<std::uint8_t>()));
              }};
}

}  // namespace likeness::train
