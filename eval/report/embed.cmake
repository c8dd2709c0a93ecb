# cmake -DFILES=a;b -DNAMES=kA;kB -DOUTPUT=x.cpp -P embed.cmake: text files as string constants of namespace likeness::eval.
set(out "// Generated from eval/report.\n#include \"eval/report/embedded.h\"\nnamespace likeness::eval {\n")
foreach(file name IN ZIP_LISTS FILES NAMES)
  file(READ "${file}" text)
  string(APPEND out "const std::string_view ${name} = R\"~embedded~(${text})~embedded~\";\n")
endforeach()
file(WRITE "${OUTPUT}" "${out}}  // namespace likeness::eval\n")
