// Inside core: an open file that closes itself. Everyone else uses core/file.h.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

namespace likeness {

class FileDescriptor {
 public:
  // ::open with O_CLOEXEC; get() is -1 and errno set on failure.
  FileDescriptor(const std::filesystem::path& path, int flags, unsigned mode = 0);
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  ~FileDescriptor();
  int get() const { return fd_; }

 private:
  int fd_;
};

// kData naming the path when the file is missing or unreadable.
FileDescriptor open_to_read(const std::filesystem::path& path);
// The number of bytes read, 0 at the end; kData on failure.
std::size_t read_some(const FileDescriptor& file, std::span<std::byte> buffer, const std::filesystem::path& path);

}  // namespace likeness
