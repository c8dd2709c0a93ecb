#include "train/dist/environment.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "core/error.h"
#include "core/rng.h"

namespace likeness::train {
namespace {

// Below the range from which Linux gives out ports by itself (32768), above what services use.
constexpr int kFirstPort = 15000, kPorts = 15000;

// The variables of one launcher, read with messages that name them.
class Variables {
 public:
  Variables(const ReadVariable& read, Launcher launcher) : read_(read), launcher_(launcher_name(launcher)) {}

  // An empty variable counts as absent: that is how scripts unset one.
  std::optional<std::string> text(const char* name) const {
    const auto value = read_(name);
    return value && !value->empty() ? value : std::nullopt;
  }
  std::string needed(const char* name, const std::string& why) const {
    if (const auto value = text(name)) return *value;
    fail_usage({.what = "a variable of the launcher is missing",
                .where = std::string("environment, ") + name,
                .expected = why,
                .got = "not set",
                .hint = launcher_ + " sets it; to start ranks here, use --ranks N"});
  }
  std::optional<int> number(const char* name, int low, int high) const {
    const auto value = text(name);
    if (!value) return std::nullopt;
    int number = 0;
    const char* end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, number);
    if (error != std::errc() || stop != end || number < low || number > high)
      fail_usage({.what = "a variable of the launcher has a wrong value",
                  .where = std::string("environment, ") + name,
                  .expected = "a whole number, " + std::to_string(low) + " … " + std::to_string(high),
                  .got = *value});
    return number;
  }
  int needed_number(const char* name, int low, int high) const {
    needed(name, "a whole number");
    return *number(name, low, high);
  }

 private:
  const ReadVariable& read_;
  std::string launcher_;
};

constexpr int kMaxRanks = 1 << 20;

struct Names {
  const char *rank, *size, *local_rank, *local_size;
};

// Size first, as the others are bounded by it.
RankEnvironment read_ranks(const Variables& v, Launcher launcher, const Names& names) {
  RankEnvironment e{.launcher = launcher};
  e.group.size = v.needed_number(names.size, 1, kMaxRanks);
  e.group.rank = v.needed_number(names.rank, 0, e.group.size - 1);
  if (names.local_size != nullptr) e.local_size = v.number(names.local_size, 1, e.group.size).value_or(0);
  // The local rank counts the lower ranks of this host.
  const int limit = e.local_size > 0 ? std::min(e.local_size - 1, e.group.rank) : e.group.rank;
  e.local_rank = v.needed_number(names.local_rank, 0, limit);
  return e;
}

// The same for all ranks of a job, likely another for another job.
int port_of_job(const std::string& job) { return kFirstPort + static_cast<int>(fnv1a(job) % kPorts); }

// Where rank 0 listens. `host` and `job` are empty where the launcher does not say.
void find_master(RankEnvironment& e, const Variables& v, const std::string& host, const std::string& job) {
  const auto port = v.number("MASTER_PORT", 1, 65535);
  if (e.group.size == 1) return;
  e.group.host =
      host.empty() ? v.needed("MASTER_ADDR", "name or address of rank 0's host") : v.text("MASTER_ADDR").value_or(host);
  if (!port && job.empty()) v.needed("MASTER_PORT", "a port on rank 0's host");
  e.group.port = port ? *port : port_of_job(job);
}

std::string slurm_master(const Variables& v) {
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"})
    if (const auto list = v.text(name)) return first_host(*list, name);
  return v.text("SLURM_LAUNCH_NODE_IPADDR").value_or("");
}

RankEnvironment read_slurm(const Variables& v) {
  RankEnvironment e = read_ranks(v, Launcher::kSlurm, {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", nullptr});
  std::string job = v.text("SLURM_JOB_ID").value_or(v.text("SLURM_JOBID").value_or(""));
  if (!job.empty()) job.append(".").append(v.text("SLURM_STEP_ID").value_or("0"));
  find_master(e, v, slurm_master(v), job);
  return e;
}

RankEnvironment read_open_mpi(const Variables& v) {
  RankEnvironment e = read_ranks(
      v, Launcher::kOpenMpi,
      {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"});
  // The job's name: of Open MPI 5, of Open MPI 4; a machine rarely runs two jobs of older ones at once.
  const std::string job = v.text("PMIX_NAMESPACE").value_or(v.text("OMPI_MCA_ess_base_jobid").value_or("mpi"));
  find_master(e, v, e.local_size == e.group.size ? "127.0.0.1" : "", job);
  return e;
}

}  // namespace

const char* launcher_name(Launcher launcher) {
  switch (launcher) {
    case Launcher::kTorchrun:
      return "torchrun";
    case Launcher::kSlurm:
      return "srun";
    case Launcher::kOpenMpi:
      return "mpirun";
    case Launcher::kNone:
      break;
  }
  return "none";
}

RankEnvironment read_rank_environment(const ReadVariable& read) {
  const Variables torchrun(read, Launcher::kTorchrun), mpi(read, Launcher::kOpenMpi), slurm(read, Launcher::kSlurm);
  RankEnvironment e;
  if (torchrun.text("RANK") || torchrun.text("WORLD_SIZE")) {
    e = read_ranks(torchrun, Launcher::kTorchrun, {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"});
    find_master(e, torchrun, "", "");
  } else if (mpi.text("OMPI_COMM_WORLD_RANK") || mpi.text("OMPI_COMM_WORLD_SIZE")) {
    e = read_open_mpi(mpi);
  } else if (slurm.text("SLURM_PROCID") && (slurm.text("SLURM_NTASKS") || slurm.text("SLURM_STEP_ID"))) {
    e = read_slurm(slurm);
  } else {
    return {};
  }
  e.group.interface = torchrun.text("GLOO_SOCKET_IFNAME").value_or("");
  return e;
}

RankEnvironment read_rank_environment() {
  return read_rank_environment([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
}

std::string first_host(const std::string& list, const std::string& variable) {
  const auto refuse = [&] {
    fail_usage({.what = "a list of hosts cannot be understood",
                .where = "environment, " + variable,
                .expected = "names, with ranges in brackets: node[03-05,9],gpu1",
                .got = list});
  };
  std::string host;
  for (std::size_t i = 0; i < list.size() && list[i] != ','; ++i) {
    if (list[i] == ']' || std::isspace(static_cast<unsigned char>(list[i]))) refuse();
    if (list[i] != '[') {
      host += list[i];
      continue;
    }
    const std::size_t close = list.find(']', i);
    const std::size_t end = list.find_first_of(",-]", i + 1);  // of the range's first number
    if (close == std::string::npos || end == i + 1) refuse();
    host += list.substr(i + 1, end - i - 1);
    i = close;
  }
  if (host.empty()) refuse();
  return host;
}

}  // namespace likeness::train
