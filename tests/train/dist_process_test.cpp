// Ranks as processes that are killed, stopped, or cut off from each other.
#include <gtest/gtest.h>
#include <signal.h>
#include <torch/torch.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "core/error.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "train/dist/environment.h"
#include "train/dist/group.h"
#include "train/dist/launch.h"
#include "train/dist/preflight.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// What a rank does, in a process of its own (this program, started again): sums, step by step, for ever. Rank 1 raises
// TEST_SIGNAL at step 5. Files in TEST_DIR: pidN, stepN, and in the end saidN.
TEST(Worker, DISABLED_Sums) {
  const fs::path folder = variable("TEST_DIR");
  if (folder.empty()) GTEST_SKIP() << "for the other tests of this file";
  RankEnvironment e = read_rank_environment();
  const std::string rank = std::to_string(e.group.rank);
  int code = 0;
  try {
    e.group.timeout = std::chrono::milliseconds(std::stoi(variable("TEST_TIMEOUT_MS")));
    e.group.address = reachable_address(e.group.host);
    const auto group = gloo_group(e.group);
    preflight(*group, {.address = e.group.address, .digest = "same"});
    std::ofstream(folder / ("pid" + rank)) << ::getpid();
    for (std::int64_t step = 0;; ++step) {
      group->at_step(step);
      at::Tensor tensor = at::ones({20000});
      group->all_reduce_sum(tensor);
      std::ofstream(folder / ("step" + rank)) << step;
      if (step == 5 && rank == "1" && !variable("TEST_SIGNAL").empty()) {
        std::this_thread::sleep_for(200ms);  // the others have come to step 6
        ::raise(std::stoi(variable("TEST_SIGNAL")));
      }
    }
  } catch (const Error& error) {
    std::ofstream(folder / ("said" + rank)) << error.what() << "\n";
    code = error.exit_code();
  }
  ::_exit(code);
}

class RankProcesses : public testing::Test {
 protected:
  static std::string self() { return fs::read_symlink("/proc/self/exe").string(); }
  static std::vector<std::string> worker() {
    return {self(), "--gtest_filter=Worker.DISABLED_Sums", "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  }
  std::string text_of(const std::string& name) const {
    std::ifstream file(dir_ / name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  int launch(int ranks, int signal, std::chrono::milliseconds timeout, std::chrono::milliseconds grace) {
    ::setenv("TEST_DIR", dir_.path().c_str(), 1);
    ::setenv("TEST_SIGNAL", std::to_string(signal).c_str(), 1);
    ::setenv("TEST_TIMEOUT_MS", std::to_string(timeout.count()).c_str(), 1);
    const auto start = Clock::now();
    const int code = launch_ranks({.ranks = ranks,
                                   .arguments = worker(),
                                   .program = self(),
                                   .grace = grace,
                                   .kill_after = 200ms,
                                   .report = [this](const std::string& line) { reported_ += line + "\n"; }});
    seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
    for (const char* name : {"TEST_DIR", "TEST_SIGNAL", "TEST_TIMEOUT_MS"}) ::unsetenv(name);
    return code;
  }
  void expect_said(int rank, int lost) const {
    const std::string text = text_of("said" + std::to_string(rank));
    SCOPED_TRACE(text);
    EXPECT_NE(text.find("a rank was lost"), std::string::npos);
    EXPECT_NE(text.find("rank " + std::to_string(rank) + " of 3 on " + host_name() + ", step 6, all-reduce"),
              std::string::npos);
    EXPECT_NE(text.find("no word from rank " + std::to_string(lost) + " (host " + host_name() + ", process " +
                        text_of("pid" + std::to_string(lost)) + ");"),
              std::string::npos);
  }
  void expect_gone() const {
    for (const char* name : {"pid0", "pid1", "pid2"}) EXPECT_NE(::kill(std::stoi(text_of(name)), 0), 0) << name;
  }

  test::TempDir dir_;
  std::string reported_;
  double seconds_ = 0;
};

TEST_F(RankProcesses, AKilledRankEndsAllAtOnceAndIsNamed) {
  EXPECT_EQ(launch(3, SIGKILL, 60s, 20s), 5);
  EXPECT_LT(seconds_, 30);
  for (int rank : {0, 2}) expect_said(rank, 1);
  EXPECT_NE(reported_.find("rank 1 (process " + text_of("pid1") + ") was killed by signal 9"), std::string::npos)
      << reported_;
  expect_gone();
}

TEST_F(RankProcesses, AStoppedRankEndsAllWithinTheTimeoutAndIsNamed) {
  EXPECT_EQ(launch(3, SIGSTOP, 2s, 2s), 5);
  for (int rank : {0, 2}) expect_said(rank, 1);
  EXPECT_NE(reported_.find("rank 1 (process " + text_of("pid1") + ") did not heed SIGTERM"), std::string::npos)
      << reported_;
  expect_gone();
}

// Two hosts: network namespaces with a cable between them, which is cut.
TEST_F(RankProcesses, ACutLinkEndsBothSides) {
  const auto shell = [&](const std::string& script, const test::ProcessOptions& options = {}) {
    return test::run_process("/bin/sh", {"-c", "PATH=$PATH:/usr/sbin:/sbin; " + script}, options);
  };
  if (shell("unshare -rn sh -c 'ip link add name cable0 type veth peer name cable1 && unshare -n true'").exit_code != 0)
    GTEST_SKIP() << "skipped: network namespaces cannot be made here";
  std::string command;
  for (const std::string& argument : worker()) command += argument + " ";
  std::ofstream(dir_ / "host1.sh") << "until ip addr add 10.99.0.2/24 dev cable1 2>/dev/null; do sleep .02; done\n"
                                      "ip link set cable1 up; ip link set lo up\n"
                                      "RANK=1 exec "
                                   << command << "> $TEST_DIR/out1 2>&1\n";
  std::ofstream(dir_ / "host0.sh")
      << "unshare -n sh $TEST_DIR/host1.sh & other=$!\n"
         "until [ $(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ]; do sleep .02; done\n"
         "ip link add name cable0 type veth peer name cable1 netns $other\n"
         "ip addr add 10.99.0.1/24 dev cable0; ip link set cable0 up; ip link set lo up\n"
         "RANK=0 "
      << command
      << "> $TEST_DIR/out0 2>&1 & own=$!\n"
         "until [ $(cat $TEST_DIR/step1 2>/dev/null || echo 0) -ge 5 ]; do sleep .02; done\n"
         "ip link set cable0 down; date +%s%N > $TEST_DIR/cut\n"
         "wait $own; echo $? > $TEST_DIR/code0; wait $other; echo $? > $TEST_DIR/code1\n"
         "date +%s%N > $TEST_DIR/end\n";
  test::ProcessOptions environment;
  environment.env = {
      {"TEST_DIR", dir_.path().string()}, {"TEST_TIMEOUT_MS", "2000"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"},
      {"MASTER_ADDR", "10.99.0.1"},       {"MASTER_PORT", "29555"}};
  const auto result = shell("timeout -k 1 60 unshare -rn sh $TEST_DIR/host0.sh", environment);
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err << text_of("out0") << text_of("out1");
  EXPECT_EQ(text_of("code0"), "5\n");
  EXPECT_EQ(text_of("code1"), "5\n");
  EXPECT_LT((std::stod(text_of("end")) - std::stod(text_of("cut"))) * 1e-9, 2 + 4);
  for (int rank : {0, 1}) {
    const std::string text = text_of("said" + std::to_string(rank));
    EXPECT_NE(text.find("rank " + std::to_string(rank) + " of 2 on " + host_name() + ", step "), std::string::npos)
        << text;
    EXPECT_NE(text.find("no word from rank " + std::to_string(1 - rank)), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace likeness::train
