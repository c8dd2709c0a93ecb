// Bytes as each list of an identification or template protocol: IJB's three, its table of roles, and our own table.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "core/error.h"
#include "eval/enrolment.h"

namespace {

using namespace likeness::eval;  // NOLINT: the target is one function

// The readers take files: one in memory, written anew for each input.
const std::string& file_of(const std::uint8_t* data, std::size_t size) {
  static const int fd = ::memfd_create("fuzz", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(fd);
  LIKENESS_ASSERT(fd >= 0 && ::ftruncate(fd, 0) == 0 && ::pwrite(fd, data, size, 0) == static_cast<ssize_t>(size));
  return path;
}

// What every list resolves against: pictures "1.jpg" to "60.jpg", of one person for each three.
const SetIndex& pictures() {
  static const SetIndex set = [] {
    std::vector<std::string> names;
    std::vector<std::int64_t> people;
    for (int i = 1; i <= 60; ++i) names.push_back(std::to_string(i) + ".jpg"), people.push_back(i / 3);
    return SetIndex::of(names, people, "fuzz");
  }();
  return set;
}

template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const likeness::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string& path = file_of(data, size);
  TemplateList list;
  for (int i = 0; i < 20; ++i)
    list.names.push_back(std::to_string(i)), list.subjects.push_back(-1), list.faces.push_back({i, i, i, 1});
  attempt([&] {
    for (const TemplateList::Face& f : read_ijb_templates(path, pictures()).faces)
      LIKENESS_ASSERT(f.picture >= 0 && f.picture < 60);
  });
  attempt([&] {
    for (const ListedPair& p : read_ijb_pairs(path, list).pairs)
      LIKENESS_ASSERT(p.a >= 0 && p.a < 20 && p.b >= 0 && p.b < 20);
  });
  attempt([&] {
    TemplateList scored = list;
    read_ijb_scores(path, pictures(), scored);
  });
  attempt([&] { read_ijb_roles({path}, {path}, list); });
  attempt([&] {
    Enrolment e = read_roles(path, pictures());
    fuse_galleries(e);
    for (const Enrolment::Gallery& g : e.galleries)
      for (const std::int64_t entry : g.entries) LIKENESS_ASSERT(entry >= 0 && entry < e.templates.size());
  });
  return 0;
}
