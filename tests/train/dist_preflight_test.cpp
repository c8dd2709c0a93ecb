// The pre-flight check: silent when all is well, and naming who is not.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/errors.h"
#include "tests/train/ranks.h"
#include "train/dist/environment.h"
#include "train/dist/preflight.h"

namespace likeness::train {
namespace {

using test::on_ranks;

PreflightOptions options_of(const Group& group, const std::string& digest) {
  return {.address = "10.0.0." + std::to_string(group.rank()), .digest = digest};
}

TEST(Preflight, RanksThatAgreePass) {
  preflight(*solo_group(), {});
  for (int size : {2, 3}) on_ranks(size, [](Group& group) { preflight(group, options_of(group, "c0ffee")); });
}

TEST(Preflight, TheOddRankIsNamedByAll) {
  for (int size : {2, 3, 4}) {
    const int odd = size == 3 ? 0 : 1;  // of two, the second
    on_ranks(size, [&](Group& group) {
      const std::string text =
          test::refusal([&] { preflight(group, options_of(group, group.rank() == odd ? "decaf" : "c0ffee")); },
                        ErrorKind::kEnvironment);
      const std::string o = std::to_string(odd);
      EXPECT_NE(text.find("got:      rank " + o + " (host " + host_name() + ", 10.0.0." + o + ") decaf\n"),
                std::string::npos)
          << text;
      EXPECT_NE(text.find("expected: digest c0ffee on every rank"), std::string::npos) << text;
      EXPECT_NE(text.find("rank " + std::to_string(group.rank()) + " of " + std::to_string(size)), std::string::npos);
    });
  }
}

// A group that does as another does, but for a mistake.
class Faulty : public Group {
 public:
  Faulty(Group& group, bool sum, bool rows) : group_(group), sum_(sum), rows_(rows) {}
  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void all_reduce_sum(at::Tensor& t) override {
    group_.all_reduce_sum(t);
    if (sum_) t[17] += 1;
  }
  void all_reduce_max(at::Tensor& t) override { group_.all_reduce_max(t); }
  void broadcast(at::Tensor& t, int root) override { group_.broadcast(t, root); }
  std::vector<at::Tensor> all_gather(const at::Tensor& t) override {
    auto rows = group_.all_gather(t);
    if (rows_ && t.scalar_type() == at::kFloat) std::swap(rows[0], rows[1]);
    return rows;
  }
  void barrier() override { group_.barrier(); }
  std::unique_ptr<Pending> start_sum(at::Tensor& t) override { return group_.start_sum(t); }

 private:
  Group& group_;
  bool sum_, rows_;
};

TEST(Preflight, WrongAnswersAreSeen) {
  on_ranks(2, [](Group& group) {
    Faulty sums(group, true, false), rows(group, false, true);
    std::string text = test::refusal([&] { preflight(sums, options_of(group, "a")); }, ErrorKind::kEnvironment);
    EXPECT_NE(text.find("all-reduce, element 17"), std::string::npos) << text;
    EXPECT_NE(text.find(host_name() + " (10.0.0." + std::to_string(group.rank()) + ")"), std::string::npos) << text;
    text = test::refusal([&] { preflight(rows, options_of(group, "a")); }, ErrorKind::kEnvironment);
    EXPECT_NE(text.find("all-gather"), std::string::npos) << text;
    EXPECT_NE(text.find("the row that rank 0 (host " + host_name() + ", 10.0.0.0) sent"), std::string::npos) << text;
  });
}

TEST(Preflight, ALostRankIsNamedWithTheAddress) {
  const int port = free_port();
  std::thread other([&] { gloo_group({.rank = 1, .size = 2, .port = port, .timeout = std::chrono::seconds(20)}); });
  const auto group = gloo_group({.rank = 0, .size = 2, .port = port, .timeout = std::chrono::seconds(20)});
  other.join();
  const std::string text = test::refusal([&] { preflight(*group, options_of(*group, "a")); }, ErrorKind::kEnvironment);
  EXPECT_NE(
      text.find("rank 0 of 2 on " + host_name() + ", before the first step, all-reduce, pre-flight, address 10.0.0.0"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("no word from rank 1"), std::string::npos) << text;
}

}  // namespace
}  // namespace likeness::train
