#include "train/dist/preflight.h"

#include <torch/torch.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "core/error.h"
#include "train/dist/environment.h"

namespace likeness::train {
namespace {

// Large enough to be cut into pieces by a ring of any usual size.
constexpr std::int64_t kElements = 4099;

std::string place(const Group& group, const std::string& address) {
  return "rank " + std::to_string(group.rank()) + " of " + std::to_string(group.size()) + " on " + host_name() + " (" +
         address + "), pre-flight";
}

// What the group says about a lost rank, with the address that the group does not know.
template <class F>
auto named(const PreflightOptions& options, F operation) {
  try {
    return operation();
  } catch (const Error& e) {
    ErrorParts parts = e.parts();
    parts.where += ", pre-flight, address " + options.address;
    parts.hint = "firewalls, and a wrong interface: GLOO_SOCKET_IFNAME (NCCL_SOCKET_IFNAME) names the right one";
    throw Error(e.kind(), parts);
  }
}

at::Tensor pattern(int rank, const c10::Device& device) {
  return (at::arange(kElements, at::TensorOptions(at::kFloat).device(device)).remainder(13) + 1) * (rank + 1);
}

// Who a rank is, as bytes of one length for all.
struct Card {
  char host[128], address[128], digest[256];
};

void put(char* to, std::size_t size, const std::string& text) {
  std::memcpy(to, text.data(), std::min(text.size(), size - 1));
}

std::vector<Card> exchange_cards(Group& group, const PreflightOptions& options) {
  LIKENESS_ASSERT(options.digest.size() < sizeof Card::digest);
  Card own{};
  put(own.host, sizeof own.host, host_name());
  put(own.address, sizeof own.address, options.address);
  put(own.digest, sizeof own.digest, options.digest);
  const at::Tensor bytes = at::from_blob(&own, {sizeof own}, at::kByte).to(options.device);
  std::vector<Card> cards;
  for (const at::Tensor& row : named(options, [&] { return group.all_gather(bytes); })) {
    cards.emplace_back();
    const at::Tensor here = row.cpu();
    std::memcpy(&cards.back(), here.const_data_ptr(), sizeof(Card));
  }
  return cards;
}

std::string name_of(const std::vector<Card>& cards, std::size_t rank) {
  return "rank " + std::to_string(rank) + " (host " + cards[rank].host + ", " + cards[rank].address + ")";
}

void check_sum(Group& group, const PreflightOptions& options) {
  const int size = group.size();
  at::Tensor sum = pattern(group.rank(), options.device);
  named(options, [&] { group.all_reduce_sum(sum); });
  const at::Tensor expected = pattern(size * (size + 1) / 2 - 1, options.device);  // small whole numbers: exact
  if (at::equal(sum, expected)) return;
  const auto wrong = sum.ne(expected).nonzero()[0].item<std::int64_t>();
  fail_environment({.what = "an all-reduce gives a wrong sum",
                    .where = place(group, options.address) + ", all-reduce, element " + std::to_string(wrong),
                    .expected = std::to_string(expected[wrong].item<float>()),
                    .got = std::to_string(sum[wrong].item<float>()),
                    .hint = "all ranks must run the same version of this program"});
}

void check_rows(Group& group, const PreflightOptions& options, const std::vector<Card>& cards) {
  const auto rows = named(options, [&] { return group.all_gather(pattern(group.rank(), options.device)); });
  for (std::size_t rank = 0; rank < rows.size(); ++rank) {
    if (at::equal(rows[rank], pattern(static_cast<int>(rank), options.device))) continue;
    fail_environment({.what = "an all-gather gives wrong rows",
                      .where = place(group, options.address) + ", all-gather",
                      .expected = "the row that " + name_of(cards, rank) + " sent",
                      .got = "another"});
  }
}

// The digest of most ranks is right; of the lowest rank where as many have another.
void check_digests(const Group& group, const PreflightOptions& options, const std::vector<Card>& cards) {
  std::map<std::string, int> votes;
  for (const Card& card : cards) ++votes[card.digest];
  if (votes.size() == 1) return;
  const Card& right = *std::max_element(
      cards.begin(), cards.end(), [&](const Card& a, const Card& b) { return votes[a.digest] < votes[b.digest]; });
  std::string odd;
  for (std::size_t rank = 0; rank < cards.size(); ++rank)
    if (std::strcmp(cards[rank].digest, right.digest) != 0)
      odd += (odd.empty() ? "" : ", ") + name_of(cards, rank) + " " + cards[rank].digest;
  fail_environment({.what = "ranks are about to train with different settings or data",
                    .where = place(group, options.address),
                    .expected = "digest " + std::string(right.digest) + " on every rank",
                    .got = odd,
                    .hint = "the recipe and every file it names must be the same on all hosts"});
}

}  // namespace

void preflight(Group& group, const PreflightOptions& options) {
  if (group.size() == 1) return;
  at::NoGradGuard no_grad;
  check_sum(group, options);
  const std::vector<Card> cards = exchange_cards(group, options);
  check_rows(group, options, cards);
  check_digests(group, options, cards);
}

}  // namespace likeness::train
