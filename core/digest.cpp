#include <fcntl.h>
#include <xxhash.h>

#include <new>
#include <vector>

#include "core/file.h"
#include "core/file_descriptor.h"

namespace likeness {
namespace {

std::string hex_of(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;  // big-endian: the digits read the same on every machine, and as xxhsum prints them
  XXH128_canonicalFromHash(&canonical, hash);
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

XXH3_state_t* state_of(void* state) { return static_cast<XXH3_state_t*>(state); }

}  // namespace

std::uint64_t xxh3_64(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string xxh3_128_hex(std::span<const std::byte> bytes) { return hex_of(XXH3_128bits(bytes.data(), bytes.size())); }

Digest::Digest() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_of(state_));
}
Digest::~Digest() { XXH3_freeState(state_of(state_)); }

Digest& Digest::add(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_of(state_), bytes.data(), bytes.size());
  return *this;
}
Digest& Digest::add(std::string_view text) { return add(std::as_bytes(std::span(text))); }
std::string Digest::hex() const { return hex_of(XXH3_128bits_digest(state_of(state_))); }

std::string file_digest(const std::filesystem::path& path) {
  const FileDescriptor file = open_to_read(path);
  std::vector<std::byte> buffer(1 << 20);
  Digest digest;
  while (const std::size_t n = read_some(file, buffer, path)) digest.add(std::span<const std::byte>(buffer).first(n));
  return digest.hex();
}

}  // namespace likeness
