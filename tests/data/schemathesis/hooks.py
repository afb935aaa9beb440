import schemathesis

ETAGS = ("If-Match", "If-None-Match")


@schemathesis.hook
def before_call(context, case, kwargs):
    # For a header whose pattern has quotes the coverage phase sends 0, and takes that for valid (4.32.5). No ETag is written so.
    is_positive = case.meta is not None and case.meta.generation.mode.is_positive
    for name in ETAGS:
        if is_positive and (case.headers or {}).get(name) == "0":
            del case.headers[name]
