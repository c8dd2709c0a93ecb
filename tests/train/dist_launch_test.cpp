// The launcher with shell scripts for ranks: exit codes, signals, and nothing left behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "tests/support/errors.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"
#include "train/dist/launch.h"

namespace likeness::train {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class LaunchTest : public testing::Test {
 protected:
  LaunchOptions options(int ranks, const std::string& script) {
    LaunchOptions o{
        .ranks = ranks, .arguments = {"sh", "-c", script, "rank", dir_.path().string()}, .program = "/bin/sh"};
    o.grace = 10s;
    o.kill_after = 10s;
    o.report = [this](const std::string& line) { said_ += line + "\n"; };
    return o;
  }
  std::string text_of(const std::string& name) {
    std::ifstream file(dir_ / name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  // Waits for the file that a script writes when it has come so far.
  void await(const std::string& name) {
    for (int i = 0; i < 1000 && text_of(name).empty(); ++i) std::this_thread::sleep_for(10ms);
    ASSERT_FALSE(text_of(name).empty()) << name;
  }
  // Whether the process whose number the file holds is there (a zombie is).
  bool alive(const std::string& name) { return ::kill(std::stoi(text_of(name)), 0) == 0; }

  test::TempDir dir_;
  std::string said_;
};

TEST_F(LaunchTest, EachRankIsToldItsPlaceAndNoOneElses) {
  ::setenv("RANK", "77", 1);
  ::setenv("LAUNCH_TEST_KEPT", "yes", 1);
  const int code = launch_ranks(options(3,
                                        "echo $RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR "
                                        "$LAUNCH_TEST_KEPT > $1/$RANK; echo $MASTER_PORT > $1/port$RANK; "
                                        "env | grep -c ^RANK= > $1/count$RANK; cat > $1/stdin$RANK"));
  ::unsetenv("RANK");
  ::unsetenv("LAUNCH_TEST_KEPT");
  EXPECT_EQ(code, 0);
  for (int rank = 0; rank < 3; ++rank) {
    const std::string r = std::to_string(rank);
    EXPECT_EQ(text_of(r), r + " 3 " + r + " 3 127.0.0.1 yes\n");
    EXPECT_EQ(text_of("count" + r), "1\n");
    EXPECT_EQ(text_of("stdin" + r), "");
  }
  EXPECT_GT(std::stoi(text_of("port0")), 0);
  EXPECT_EQ(text_of("port0"), text_of("port2"));
  EXPECT_EQ(said_, "");
}

TEST_F(LaunchTest, OneRankPrintsAndAllComplain) {
  for (const bool only_first : {true, false}) {
    LaunchOptions o = options(3, "echo out$RANK; echo err$RANK >&2");
    o.only_rank_0_prints = only_first;
    const pid_t launcher = ::fork();
    if (launcher == 0) {
      const std::string out = (dir_ / "out").string(), err = (dir_ / "err").string();
      if (std::freopen(out.c_str(), "w", stdout) == nullptr || std::freopen(err.c_str(), "w", stderr) == nullptr)
        ::_exit(99);
      ::_exit(launch_ranks(o));
    }
    int status = 0;
    ::waitpid(launcher, &status, 0);
    ASSERT_EQ(status, 0);
    const std::string out = text_of("out"), err = text_of("err");
    for (const char* rank : {"0", "1", "2"}) {
      EXPECT_EQ(out.find(std::string("out") + rank) != std::string::npos, !only_first || *rank == '0') << out;
      EXPECT_NE(err.find(std::string("err") + rank), std::string::npos) << err;
    }
  }
}

TEST_F(LaunchTest, TheFirstFailureIsTheExitCode) {
  EXPECT_EQ(launch_ranks(options(3, "[ $RANK = 1 ] && exit 4; [ $RANK = 2 ] && sleep .4 && exit 2; exit 0")), 4);
  EXPECT_NE(said_.find("rank 1 (process "), std::string::npos) << said_;
  EXPECT_NE(said_.find("ended with exit code 4"), std::string::npos) << said_;
}

TEST_F(LaunchTest, TheOthersMayFinishByThemselvesAfterAFailure) {
  EXPECT_EQ(launch_ranks(options(2, "[ $RANK = 1 ] && exit 5; sleep .3; echo done > $1/done; exit 5")), 5);
  EXPECT_EQ(text_of("done"), "done\n");
  EXPECT_EQ(said_.find("SIGTERM"), std::string::npos) << said_;
}

TEST_F(LaunchTest, AKilledRankIsNamed) {
  const auto start = Clock::now();
  EXPECT_EQ(launch_ranks(options(2, "[ $RANK = 1 ] && kill -9 $$; exit 0")), 5);
  EXPECT_LT(Clock::now() - start, 5s);
  EXPECT_NE(said_.find("rank 1 (process "), std::string::npos) << said_;
  EXPECT_NE(said_.find("was killed by signal 9 (Killed)"), std::string::npos) << said_;
}

TEST_F(LaunchTest, AfterTheGraceTimeTheOthersAreEnded) {
  LaunchOptions o = options(3,
                            "echo $$ > $1/$RANK; [ $RANK = 0 ] && sleep .3 && exit 3; "
                            "[ $RANK = 2 ] && trap '' TERM; [ $RANK = 1 ] && trap 'echo x > $1/asked; exit 9' TERM; "
                            "while :; do sleep .05; done");
  o.grace = 300ms;
  o.kill_after = 500ms;
  EXPECT_EQ(launch_ranks(o), 3);
  EXPECT_EQ(text_of("asked"), "x\n");
  EXPECT_NE(said_.find("went on after a rank was gone: SIGTERM"), std::string::npos) << said_;
  EXPECT_NE(said_.find("did not heed SIGTERM: SIGKILL"), std::string::npos) << said_;
  for (const char* rank : {"0", "1", "2"}) EXPECT_FALSE(alive(rank)) << rank;
}

TEST_F(LaunchTest, AStoppedRankIsEndedToo) {
  LaunchOptions o = options(2, "echo $$ > $1/$RANK; [ $RANK = 1 ] && kill -STOP $$; sleep .2; exit 5");
  o.grace = 100ms;
  o.kill_after = 100ms;
  EXPECT_EQ(launch_ranks(o), 5);
  EXPECT_FALSE(alive("1"));
}

// What a rank started, ends with it.
TEST_F(LaunchTest, HelpersOfARankAreEndedWithIt) {
  LaunchOptions o = options(2,
                            "if [ $RANK = 0 ]; then while [ ! -s $1/helper ]; do sleep .02; done; exit 1; fi; "
                            "sleep 1000 & echo $! > $1/helper; wait");
  o.grace = 50ms;
  EXPECT_EQ(launch_ranks(o), 1);
  bool gone = false;  // its new parent has to reap it
  for (int i = 0; i < 200 && !gone; ++i) {
    std::ifstream stat("/proc/" + std::to_string(std::stoi(text_of("helper"))) + "/stat");
    std::string number, name, state;
    gone = !(stat >> number >> name >> state) || state == "Z";
    if (!gone) std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(gone);
}

class LaunchSignal : public LaunchTest, public testing::WithParamInterface<int> {};

// A process of its own, as the signal is for all of it. Ranks count how often they are told.
TEST_P(LaunchSignal, IsPassedOnOnceToEveryRank) {
  const int signal = GetParam();
  const std::string name = signal == SIGINT ? "INT" : "TERM", code = std::to_string(128 + signal);
  const LaunchOptions o =
      options(2, "n=0; trap 'n=$((n+1))' " + name + "; echo $$ > $1/pid$RANK; " +
                     "while [ $n = 0 ]; do sleep .05; done; sleep .2; echo $n > $1/told$RANK; exit " + code);
  const pid_t launcher = ::fork();
  if (launcher == 0) ::_exit(launch_ranks(o));
  await("pid0");
  await("pid1");
  ::kill(launcher, signal);
  int status = 0;
  ::waitpid(launcher, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + signal);
  for (const char* rank : {"told0", "told1"}) EXPECT_EQ(text_of(rank), "1\n");
  for (const char* rank : {"pid0", "pid1"}) EXPECT_FALSE(alive(rank));
}
INSTANTIATE_TEST_SUITE_P(Dist, LaunchSignal, testing::Values(SIGINT, SIGTERM),
                         [](const auto& info) { return info.param == SIGINT ? "Interrupt" : "Terminate"; });

TEST_F(LaunchTest, ASignalThatComesTooLateChangesNothing) {
  const LaunchOptions o = options(2, "trap '' TERM; echo $$ > $1/pid$RANK; sleep .5; exit 0");
  const pid_t launcher = ::fork();
  if (launcher == 0) ::_exit(launch_ranks(o));
  await("pid0");
  await("pid1");
  ::kill(launcher, SIGTERM);
  int status = 0;
  ::waitpid(launcher, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(LaunchTest, RanksDieWithTheLauncherHoweverItDies) {
  const LaunchOptions o = options(2, "trap '' TERM INT; echo $$ > $1/pid$RANK; while :; do sleep .1; done");
  const pid_t launcher = ::fork();
  if (launcher == 0) ::_exit(launch_ranks(o));
  await("pid0");
  await("pid1");
  ::kill(launcher, SIGKILL);
  ::waitpid(launcher, nullptr, 0);
  for (const char* rank : {"pid0", "pid1"}) {
    std::string state;  // gone, or waiting for a new parent to notice
    for (int i = 0; i < 200; ++i, std::this_thread::sleep_for(10ms)) {
      std::ifstream stat("/proc/" + std::to_string(std::stoi(text_of(rank))) + "/stat");
      std::string number, name;
      if (!(stat >> number >> name >> state) || state == "Z") {
        state = "gone";
        break;
      }
    }
    EXPECT_EQ(state, "gone") << rank;
  }
}

TEST_F(LaunchTest, WhatCannotBeStartedIsAnErrorAndLeavesNoProcess) {
  LaunchOptions o = options(2, "exit 0");
  o.program = "/no/such/program";
  const std::string text = test::refusal([&] { launch_ranks(o); }, ErrorKind::kEnvironment);
  EXPECT_NE(text.find("/no/such/program"), std::string::npos) << text;
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST_F(LaunchTest, IgnoredChildSignalsDoNotHideExitCodes) {
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(launch_ranks(options(2, "exit 4")), 4);
  EXPECT_EQ(::signal(SIGCHLD, before), SIG_IGN);
}

TEST(LaunchArguments, RanksAreRead) {
  EXPECT_EQ(asked_ranks({"p", "run", "--ranks", "4"}), 4);
  EXPECT_EQ(asked_ranks({"p", "--ranks=2", "x"}), 2);
  EXPECT_EQ(asked_ranks({"p", "--rank", "3"}), 1);
  for (const char* bad : {"--ranks=0", "--ranks=", "--ranks=2x", "--ranks=-1", "--ranks"})
    EXPECT_NE(test::refusal(
                  [&] {
                    asked_ranks({"p", bad});
                  },
                  ErrorKind::kUsage)
                  .find("--ranks"),
              std::string::npos)
        << bad;
}

TEST(LaunchArguments, RanksAreLeftOut) {
  using V = std::vector<std::string>;
  EXPECT_EQ(without_ranks({"p", "run", "a.yaml", "--ranks", "4", "--out", "b"}),
            (V{"p", "run", "a.yaml", "--out", "b"}));
  EXPECT_EQ(without_ranks({"p", "--ranks=4", "--rank", "x"}), (V{"p", "--rank", "x"}));
  EXPECT_EQ(without_ranks({"p", "--ranks"}), (V{"p"}));
  EXPECT_FALSE(own_arguments().empty());
  EXPECT_NE(own_arguments()[0].find("dist_tests"), std::string::npos);
}

}  // namespace
}  // namespace likeness::train
