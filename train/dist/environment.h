// Which rank am I: the variables by which torchrun, SLURM and Open MPI tell a process.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "train/dist/group_options.h"

namespace likeness::train {

enum class Launcher {
  kNone,
  kTorchrun,
  kSlurm,
  kOpenMpi
};                                             // kTorchrun also for --ranks, which sets the same variables
const char* launcher_name(Launcher launcher);  // "torchrun"

struct RankEnvironment {
  Launcher launcher = Launcher::kNone;
  // Rank, size, rank 0's host and port, and `interface` if GLOO_SOCKET_IFNAME names one. `address` is left as it is:
  // reachable_address() finds it.
  GroupOptions group = {};
  int local_rank = 0;  // among the ranks of this host: chooses the GPU
  int local_size = 0;  // ranks of this host: shares out its cores; 0: not said
};

using ReadVariable = std::function<std::optional<std::string>(const char* name)>;

// The first of these that is there decides:
//   torchrun  RANK, WORLD_SIZE, LOCAL_RANK; MASTER_ADDR, MASTER_PORT with more than one rank; LOCAL_WORLD_SIZE
//   Open MPI  OMPI_COMM_WORLD_RANK, _SIZE, _LOCAL_RANK, _LOCAL_SIZE; MASTER_ADDR unless all ranks are on one host
//   SLURM     SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID; rank 0 is on the first host of SLURM_STEP_NODELIST,
//             SLURM_JOB_NODELIST or SLURM_NODELIST (else at SLURM_LAUNCH_NODE_IPADDR)
// Open MPI before SLURM, as mpirun inside an allocation sees the variables of both. MASTER_ADDR and MASTER_PORT, where
// set, are believed under every launcher; else the port is derived from the job's name, which all its ranks know.
// An allocation's shell or batch script, which has SLURM variables and is no task of SLURM's, is no rank: size 1.
// Errors: kUsage naming the variable that is missing, no number, or contradicts another. Pure but for `read`.
RankEnvironment read_rank_environment(const ReadVariable& read);
RankEnvironment read_rank_environment();  // this process's environment

// The first host of a SLURM node list: "node[03-05,9],gpu1" -> "node03". kUsage naming `variable` if it is not a list.
std::string first_host(const std::string& list, const std::string& variable);

// The address of this machine from which `host` is reached, so that the others reach us by it. A machine's own name is
// not good enough: it often resolves to 127.0.1.1. The loopback address only where `host` is it, or there is no other.
// Sends nothing. kEnvironment if `host` cannot be resolved.
std::string reachable_address(const std::string& host);

std::string host_name();  // of this machine, as messages name it

}  // namespace likeness::train
