# `cmake --install build/release --prefix DIR`: programs in bin/, their loadable modules and the wheels' libraries in
# lib/likeness/, so that the prefix runs from anywhere. Debian's libraries stay the system's (scripts/package.sh lists them).
get_property(programs GLOBAL PROPERTY LIKENESS_PROGRAMS)
install(TARGETS ${programs} RUNTIME DESTINATION bin)
