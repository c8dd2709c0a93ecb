// Groups: sums under way, and what is said when a rank does not answer. Ranks are threads over Gloo.
#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <atomic>

#include "tests/support/errors.h"
#include "tests/train/ranks.h"
#include "train/dist/environment.h"

namespace likeness::train {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::string rank_name(int rank) {
  return "rank " + std::to_string(rank) + " (host " + host_name() + ", process " + std::to_string(::getpid()) + ")";
}

TEST(Group, SumsRunBesideOtherOperations) {
  test::on_ranks(3, [](Group& group) {
    std::vector<at::Tensor> tensors;
    std::vector<std::unique_ptr<Pending>> sums;
    for (int i = 0; i < 5; ++i) {
      tensors.push_back(at::full({1000 * (i + 1)}, (group.rank() + 1) * (i + 1), at::kFloat));
      sums.push_back(group.start_sum(tensors.back()));
    }
    EXPECT_EQ(group.all_gather(at::full({1}, group.rank(), at::kLong))[2].item<std::int64_t>(), 2);
    for (int i = 4; i >= 0; --i) {
      sums[static_cast<std::size_t>(i)]->wait();
      EXPECT_TRUE(at::equal(tensors[static_cast<std::size_t>(i)], at::full({1000 * (i + 1)}, 6 * (i + 1), at::kFloat)));
    }
  });
}

TEST(Group, AloneASumIsTheTensor) {
  const auto group = solo_group();
  at::Tensor tensor = at::arange(5);
  group->start_sum(tensor)->wait();
  EXPECT_TRUE(at::equal(tensor, at::arange(5)));
}

// What each rank says; "" where it says nothing. The `odd` rank does as `misbehave` does, and keeps its group until the
// others have ended if that is "stays silent".
enum class Odd { kSilent, kLeaves };
struct Ending {
  std::string said;
  double seconds = 0;
};
std::vector<Ending> endings(int size, int odd, Odd how, std::chrono::milliseconds timeout,
                            const std::function<void(Group&)>& act) {
  const int port = free_port();
  std::vector<Ending> all(static_cast<std::size_t>(size));
  std::atomic<int> others = size - 1, ready = 0;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      auto group = gloo_group({.rank = rank, .size = size, .port = port, .timeout = timeout});
      group->at_step(41);
      ++ready;
      while (ready < size) std::this_thread::sleep_for(1ms);
      if (rank == odd) {
        if (how == Odd::kLeaves) group.reset();
        while (others > 0) std::this_thread::sleep_for(1ms);
        return;
      }
      Ending& ending = all[static_cast<std::size_t>(rank)];
      const auto start = Clock::now();
      ending.said = test::refusal([&] { act(*group); }, ErrorKind::kEnvironment);
      ending.seconds = std::chrono::duration<double>(Clock::now() - start).count();
      group.reset();
      --others;
    });
  for (std::thread& t : threads) t.join();
  return all;
}

void expect_named(const Ending& ending, int rank, int size, int odd, const std::string& operation) {
  const std::string where = "where:    rank " + std::to_string(rank) + " of " + std::to_string(size) + " on " +
                            host_name() + ", step 41, " + operation + "\n";
  EXPECT_NE(ending.said.find("a rank was lost\n"), std::string::npos) << ending.said;
  EXPECT_NE(ending.said.find(where), std::string::npos) << ending.said << "\nnot: " << where;
  EXPECT_NE(ending.said.find("no word from " + rank_name(odd) + ";"), std::string::npos) << ending.said;
}

struct Operation {
  const char* name;
  std::function<void(Group&)> act;
};
at::Tensor some() { return at::ones({1000}); }
const Operation kOperations[] = {
    {"all-reduce",
     [](Group& g) {
       auto t = some();
       g.all_reduce_sum(t);
     }},
    {"asynchronous all-reduce",
     [](Group& g) {
       auto t = some();
       g.start_sum(t)->wait();
     }},
    {"all-gather", [](Group& g) { g.all_gather(some()); }},
    {"barrier", [](Group& g) { g.barrier(); }},
};

TEST(Group, ARankThatDoesNotAnswerEndsTheOthersWithinTheTimeout) {
  for (const Operation& operation : kOperations) {
    SCOPED_TRACE(operation.name);
    const auto all = endings(3, 1, Odd::kSilent, 1200ms, operation.act);
    for (int rank : {0, 2}) {
      const Ending& ending = all[static_cast<std::size_t>(rank)];
      expect_named(ending, rank, 3, 1, operation.name);
      EXPECT_GT(ending.seconds, 1.0);
      EXPECT_LT(ending.seconds, 1.2 + 2.5);
      EXPECT_NE(ending.said.find("every rank within 1200 ms"), std::string::npos) << ending.said;
    }
  }
}

// Its connections close: nobody waits for the timeout, however many ranks lie between.
TEST(Group, ARankThatIsGoneEndsTheOthersAtOnce) {
  for (int odd : {0, 1, 4}) {
    SCOPED_TRACE(odd);
    const auto all = endings(5, odd, Odd::kLeaves, 60s, kOperations[0].act);
    for (int rank = 0; rank < 5; ++rank) {
      if (rank == odd) continue;
      expect_named(all[static_cast<std::size_t>(rank)], rank, 5, odd, "all-reduce");
      EXPECT_LT(all[static_cast<std::size_t>(rank)].seconds, 10);
    }
  }
}

TEST(Group, BeforeTheFirstStepMessagesSaySo) {
  const auto all = endings(2, 1, Odd::kLeaves, 20s, [](Group& group) {
    group.at_step(-1);
    group.barrier();
  });
  EXPECT_NE(all[0].said.find(", before the first step, barrier\n"), std::string::npos) << all[0].said;
}

TEST(Group, RanksThatDoNotMeetSayWhere) {
  const int port = free_port();
  for (int rank : {0, 1}) {
    const std::string text = test::refusal([&] { gloo_group({.rank = rank, .size = 3, .port = port, .timeout = 1s}); },
                                           ErrorKind::kEnvironment);
    EXPECT_NE(text.find("the ranks did not find each other"), std::string::npos) << text;
    EXPECT_NE(text.find("rank " + std::to_string(rank) + " of 3 on " + host_name() +
                        " (127.0.0.1), rank 0 at 127.0.0.1:" + std::to_string(port)),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("\n  frame"), std::string::npos) << "a stack: " << text;
  }
}

}  // namespace
}  // namespace likeness::train
