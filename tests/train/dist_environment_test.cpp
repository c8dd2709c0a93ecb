// The variables of each launcher, whole, halved and contradictory.
#include <gtest/gtest.h>

#include <map>

#include "tests/support/errors.h"
#include "train/dist/environment.h"

namespace likeness::train {
namespace {

using Variables = std::map<std::string, std::string>;

RankEnvironment read(const Variables& variables) {
  return read_rank_environment([&](const char* name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    return it == variables.end() ? std::nullopt : std::optional(it->second);
  });
}

struct Case {
  const char* name;
  Variables variables;
  Launcher launcher;
  int rank, size, local_rank, local_size;
  std::string host;
  int port;  // -1: any in the range that jobs are given
};

const Variables kTorchrun{{"RANK", "5"},         {"WORLD_SIZE", "8"},      {"LOCAL_RANK", "1"},
                          {"MASTER_ADDR", "n0"}, {"MASTER_PORT", "29500"}, {"LOCAL_WORLD_SIZE", "4"}};
const Variables kSlurm{{"SLURM_PROCID", "5"},  {"SLURM_NTASKS", "8"},  {"SLURM_LOCALID", "1"},
                       {"SLURM_JOB_ID", "77"}, {"SLURM_STEP_ID", "0"}, {"SLURM_NODELIST", "node[03-05,9],gpu1"}};
const Variables kMpi{{"OMPI_COMM_WORLD_RANK", "2"},
                     {"OMPI_COMM_WORLD_SIZE", "4"},
                     {"OMPI_COMM_WORLD_LOCAL_RANK", "2"},
                     {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                     {"PMIX_NAMESPACE", "prterun-a-1@1"}};

Variables with(Variables base, const Variables& changes) {
  for (const auto& [name, value] : changes) {
    if (value == "-")
      base.erase(name);
    else
      base[name] = value;
  }
  return base;
}

TEST(RankEnvironment, EveryLauncherIsUnderstood) {
  const Case cases[] = {
      {"nothing", {}, Launcher::kNone, 0, 1, 0, 0, "127.0.0.1", 0},
      {"torchrun", kTorchrun, Launcher::kTorchrun, 5, 8, 1, 4, "n0", 29500},
      {"torchrun, one rank",
       {{"RANK", "0"}, {"WORLD_SIZE", "1"}, {"LOCAL_RANK", "0"}},
       Launcher::kTorchrun,
       0,
       1,
       0,
       0,
       "127.0.0.1",
       0},
      {"slurm", kSlurm, Launcher::kSlurm, 5, 8, 1, 0, "node03", -1},
      {"slurm, the step's hosts first", with(kSlurm, {{"SLURM_STEP_NODELIST", "b[7-8]"}}), Launcher::kSlurm, 5, 8, 1, 0,
       "b7", -1},
      {"slurm, no list", with(kSlurm, {{"SLURM_NODELIST", "-"}, {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.3"}}),
       Launcher::kSlurm, 5, 8, 1, 0, "10.0.0.3", -1},
      {"slurm, master said", with(kSlurm, {{"MASTER_ADDR", "ib0-n1"}, {"MASTER_PORT", "1234"}}), Launcher::kSlurm, 5, 8,
       1, 0, "ib0-n1", 1234},
      {"slurm, a shell of an allocation",
       {{"SLURM_NTASKS", "8"}, {"SLURM_JOB_ID", "77"}},
       Launcher::kNone,
       0,
       1,
       0,
       0,
       "127.0.0.1",
       0},
      {"slurm, a batch script",
       {{"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}, {"SLURM_JOB_ID", "77"}},
       Launcher::kNone,
       0,
       1,
       0,
       0,
       "127.0.0.1",
       0},
      {"mpi, one host", kMpi, Launcher::kOpenMpi, 2, 4, 2, 4, "127.0.0.1", -1},
      {"mpi, two hosts",
       with(kMpi, {{"OMPI_COMM_WORLD_LOCAL_RANK", "0"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}, {"MASTER_ADDR", "n0"}}),
       Launcher::kOpenMpi, 2, 4, 0, 2, "n0", -1},
      {"mpi inside slurm", with(kMpi, kSlurm), Launcher::kOpenMpi, 2, 4, 2, 4, "127.0.0.1", -1},
      {"torchrun inside slurm", with(kTorchrun, kSlurm), Launcher::kTorchrun, 5, 8, 1, 4, "n0", 29500},
      {"a master and no ranks",
       {{"MASTER_ADDR", "n0"}, {"MASTER_PORT", "1"}},
       Launcher::kNone,
       0,
       1,
       0,
       0,
       "127.0.0.1",
       0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const RankEnvironment e = read(c.variables);
    EXPECT_EQ(e.launcher, c.launcher);
    EXPECT_EQ(e.group.rank, c.rank);
    EXPECT_EQ(e.group.size, c.size);
    EXPECT_EQ(e.local_rank, c.local_rank);
    EXPECT_EQ(e.local_size, c.local_size);
    EXPECT_EQ(e.group.host, c.host);
    if (c.port >= 0) {
      EXPECT_EQ(e.group.port, c.port);
    } else {
      EXPECT_GE(e.group.port, 15000);
      EXPECT_LT(e.group.port, 30000);
    }
  }
}

TEST(RankEnvironment, APortIsTheJobsOwn) {
  const int port = read(kSlurm).group.port;
  EXPECT_EQ(read(with(kSlurm, {{"SLURM_PROCID", "7"}})).group.port, port);
  EXPECT_NE(read(with(kSlurm, {{"SLURM_JOB_ID", "78"}})).group.port, port);
  EXPECT_NE(read(with(kSlurm, {{"SLURM_STEP_ID", "1"}})).group.port, port);
}

TEST(RankEnvironment, AnInterfaceMayBeNamed) {
  EXPECT_EQ(read(with(kSlurm, {{"GLOO_SOCKET_IFNAME", "ib0"}})).group.interface, "ib0");
}

TEST(RankEnvironment, HalfSetAndContradictoryVariablesAreNamed) {
  const struct {
    Variables variables;
    const char* named;
  } cases[] = {
      {with(kTorchrun, {{"RANK", "-"}}), "RANK"},
      {with(kTorchrun, {{"WORLD_SIZE", "-"}}), "WORLD_SIZE"},
      {with(kTorchrun, {{"WORLD_SIZE", ""}}), "WORLD_SIZE"},
      {with(kTorchrun, {{"LOCAL_RANK", "-"}}), "LOCAL_RANK"},
      {with(kTorchrun, {{"MASTER_ADDR", "-"}}), "MASTER_ADDR"},
      {with(kTorchrun, {{"MASTER_PORT", "-"}}), "MASTER_PORT"},
      {with(kTorchrun, {{"MASTER_PORT", "99999"}}), "MASTER_PORT"},
      {with(kTorchrun, {{"RANK", "8"}}), "RANK"},
      {with(kTorchrun, {{"RANK", "-1"}}), "RANK"},
      {with(kTorchrun, {{"RANK", "5x"}}), "RANK"},
      {with(kTorchrun, {{"WORLD_SIZE", "0"}}), "WORLD_SIZE"},
      {with(kTorchrun, {{"LOCAL_RANK", "4"}}), "LOCAL_RANK"},
      {with(kTorchrun, {{"RANK", "0"}}), "LOCAL_RANK"},
      {with(kTorchrun, {{"LOCAL_WORLD_SIZE", "9"}}), "LOCAL_WORLD_SIZE"},
      {with(kSlurm, {{"SLURM_NTASKS", "-"}}), "SLURM_NTASKS"},
      {with(kSlurm, {{"SLURM_LOCALID", "-"}}), "SLURM_LOCALID"},
      {with(kSlurm, {{"SLURM_PROCID", "8"}}), "SLURM_PROCID"},
      {with(kSlurm, {{"SLURM_NODELIST", "-"}}), "MASTER_ADDR"},
      {with(kSlurm, {{"SLURM_NODELIST", "a[1-"}}), "SLURM_NODELIST"},
      {with(kSlurm, {{"SLURM_JOB_ID", "-"}}), "MASTER_PORT"},
      {with(kMpi, {{"OMPI_COMM_WORLD_RANK", "-"}}), "OMPI_COMM_WORLD_RANK"},
      {with(kMpi, {{"OMPI_COMM_WORLD_LOCAL_RANK", "-"}}), "OMPI_COMM_WORLD_LOCAL_RANK"},
      {with(kMpi, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "3"}}), "MASTER_ADDR"},
      {with(kMpi, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "-"}}), "MASTER_ADDR"},
  };
  for (const auto& c : cases) {
    const std::string text = test::refusal([&] { read(c.variables); }, ErrorKind::kUsage);
    EXPECT_NE(text.find(std::string("environment, ") + c.named + "\n"), std::string::npos) << c.named << "\n" << text;
  }
}

TEST(RankEnvironment, TheFirstHostOfAList) {
  const std::pair<const char*, const char*> lists[] = {{"node[03-05,9],gpu1", "node03"},
                                                       {"node7", "node7"},
                                                       {"a,b[2-4]", "a"},
                                                       {"r[1-2]n[03,05]-ib,x", "r1n03-ib"},
                                                       {"n[9]", "n9"}};
  for (const auto& [list, first] : lists) EXPECT_EQ(first_host(list, "V"), first) << list;
  for (const char* bad : {"", ",a", "n[", "n[]", "n[-3]", "n]", "n[1-2", "a b"})
    EXPECT_NE(test::refusal([&] { first_host(bad, "V"); }, ErrorKind::kUsage).find("environment, V"), std::string::npos)
        << bad;
}

TEST(RankEnvironment, AnAddressForOthers) {
  EXPECT_EQ(reachable_address("127.0.0.1"), "127.0.0.1");
  EXPECT_FALSE(reachable_address("127.0.1.1").empty());
  EXPECT_NE(reachable_address("127.0.1.1"), "127.0.1.1") << "only this machine takes it for itself";
  const std::string text = test::refusal([] { reachable_address("no-such-host.invalid"); }, ErrorKind::kEnvironment);
  EXPECT_NE(text.find("no-such-host.invalid"), std::string::npos) << text;
  EXPECT_FALSE(host_name().empty());
}

}  // namespace
}  // namespace likeness::train
