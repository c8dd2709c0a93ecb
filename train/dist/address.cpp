// This machine's name and address, as other ranks see them.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "core/error.h"
#include "train/dist/environment.h"

namespace likeness::train {
namespace {

std::string text_of(const sockaddr_in& address) {
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return text.data();
}

bool is_loopback(const sockaddr_in& address) { return ntohl(address.sin_addr.s_addr) >> 24 == 127; }

sockaddr_in resolve(const std::string& host) {
  addrinfo want{}, *found = nullptr;
  want.ai_family = AF_INET;
  want.ai_socktype = SOCK_STREAM;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &want, &found); error != 0)
    fail_environment({.what = "rank 0's host has no address",
                      .where = host,
                      .expected = "a name or address that this machine can resolve (IPv4)",
                      .got = ::gai_strerror(error),
                      .hint = "MASTER_ADDR names the host"});
  sockaddr_in address{};
  std::memcpy(&address, found->ai_addr, sizeof address);
  ::freeaddrinfo(found);
  return address;
}

// The source address the kernel would choose towards `target`: connecting a datagram socket sends nothing.
std::optional<sockaddr_in> source_towards(sockaddr_in target) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return std::nullopt;
  target.sin_port = htons(9);
  sockaddr_in source{};
  socklen_t size = sizeof source;
  const bool found = ::connect(socket, reinterpret_cast<sockaddr*>(&target), sizeof target) == 0 &&
                     ::getsockname(socket, reinterpret_cast<sockaddr*>(&source), &size) == 0;
  ::close(socket);
  return found ? std::optional(source) : std::nullopt;
}

std::optional<sockaddr_in> first_interface() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP)) continue;
    sockaddr_in address{};
    std::memcpy(&address, i->ifa_addr, sizeof address);
    if (!is_loopback(address)) return address;
  }
  return std::nullopt;
}

}  // namespace

std::string reachable_address(const std::string& host) {
  constexpr const char* kLoopback = "127.0.0.1";
  const sockaddr_in target = resolve(host);
  if (text_of(target) == kLoopback) return kLoopback;  // so every rank must be here
  if (const auto source = source_towards(target); source && !is_loopback(*source)) return text_of(*source);
  // `host` is this machine under a name that only this machine takes for it, or no route leads there.
  sockaddr_in anywhere{};
  anywhere.sin_family = AF_INET;
  anywhere.sin_addr.s_addr = htonl(0xC0000201);  // 192.0.2.1, kept for documentation: the default route leads there
  if (const auto outward = source_towards(anywhere); outward && !is_loopback(*outward)) return text_of(*outward);
  if (const auto address = first_interface()) return text_of(*address);
  return kLoopback;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown host";
}

}  // namespace likeness::train
