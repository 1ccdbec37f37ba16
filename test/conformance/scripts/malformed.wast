;; Binary.md: encodings that are none. The preamble is \00asm, version 0d, layer 1.

(component binary "\00asm" "\0d\00\01\00")
(assert_malformed (component binary "") "not WebAssembly")
(assert_malformed (component binary "\00asm") "cut off")
(assert_malformed (component binary "\00asm" "\0d\00") "cut off")
(assert_malformed (component binary "\00asn" "\0d\00\01\00") "magic")
(assert_malformed (component binary "\00asm" "\01\00\00\00") "a core module")
(assert_malformed (component binary "\00asm" "\0c\00\01\00") "version")
(assert_malformed (component binary "\00asm" "\0d\00\02\00") "layer")
;; sections
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\0d\00") "unknown section")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07") "cut off")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\02\00") "cut off")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\02\00\00") "more in the section than it says")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\05\ff\ff\ff\ff\0f") "four billion entries")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\ff\ff\ff\ff\0f\00") "four billion bytes")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\06\80\80\80\80\80\00") "LEB128 of six bytes")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\05\80\80\80\80\10") "LEB128 beyond 32 bits")
(component binary "\00asm" "\0d\00\01\00" "\00\02\01x")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\00\02\02x") "custom section's name")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\00\02\01\ff") "invalid utf-8")
;; types: 7f is bool, 40 a function
(component binary "\00asm" "\0d\00\01\00" "\07\02\01\7f")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\02\01\60") "no type")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\03\01\6b\40") "no value type")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\07\04\01\40\00\02") "result list")
;; an import: name kind, name, sort
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\0a\06\01\05\01a\01\00") "name kind")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\0a\06\01\00\01a\07\00") "extern kind")
;; nested: a component's bytes are a component, a core module's a core module
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\04\08\00asm\01\00\00\00") "a core module as a component")
(assert_malformed (component binary "\00asm" "\0d\00\01\00" "\01\08\00asm\0d\00\01\00") "a component as a core module")
(component binary "\00asm" "\0d\00\01\00" "\04\08\00asm\0d\00\01\00" "\01\08\00asm\01\00\00\00")
