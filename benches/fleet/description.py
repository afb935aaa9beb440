"""Writes a fleet of many sites: its description, their kubeconfigs, and the manifests of apps of 15 objects each."""

MANIFESTS = {
    "web.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: { app.kubernetes.io/name: web, app.kubernetes.io/part-of: APP }
spec:
  selector: { matchLabels: { app.kubernetes.io/name: web } }
  template:
    metadata:
      labels: { app.kubernetes.io/name: web, app.kubernetes.io/part-of: APP }
      annotations: { prometheus.io/scrape: "true", prometheus.io/port: "9102" }
    spec:
      serviceAccountName: APP
      securityContext: { runAsNonRoot: true, seccompProfile: { type: RuntimeDefault } }
      containers:
      - name: web
        image: registry.example/APP/web:1.4.2
        ports:
        - { name: http, containerPort: 8080 }
        - { name: metrics, containerPort: 9102 }
        env:
        - { name: API_URL, value: "http://api.APP.svc:3000" }
        - name: LOG_LEVEL
          valueFrom: { configMapKeyRef: { name: web, key: level } }
        resources: { requests: { cpu: 250m, memory: 256Mi }, limits: { memory: 512Mi } }
        readinessProbe: { httpGet: { path: /healthz, port: http }, periodSeconds: 5, failureThreshold: 3 }
        livenessProbe: { httpGet: { path: /livez, port: http }, initialDelaySeconds: 10, periodSeconds: 10 }
        securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
        volumeMounts:
        - { name: settings, mountPath: /etc/web, readOnly: true }
        - { name: scratch, mountPath: /tmp }
      volumes:
      - { name: settings, configMap: { name: web } }
      - { name: scratch, emptyDir: {} }
---
apiVersion: v1
kind: Service
metadata: { name: web, labels: { app.kubernetes.io/name: web } }
spec:
  selector: { app.kubernetes.io/name: web }
  ports:
  - { name: http, port: 80, targetPort: http }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data:
  level: info
  web.conf: |
    server { listen 8080; location / { root /srv; try_files $uri /index.html; } location /api { proxy_pass http://api:3000; } }
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: web }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }
  minReplicas: 1
  maxReplicas: 10
  metrics:
  - type: Resource
    resource: { name: cpu, target: { type: Utilization, averageUtilization: 80 } }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, annotations: { nginx.ingress.kubernetes.io/proxy-body-size: 8m } }
spec:
  ingressClassName: nginx
  rules:
  - host: APP.example
    http:
      paths:
      - { path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }
""",
    "api.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  labels: { app.kubernetes.io/name: api, app.kubernetes.io/part-of: APP }
spec:
  replicas: 2
  selector: { matchLabels: { app.kubernetes.io/name: api } }
  template:
    metadata: { labels: { app.kubernetes.io/name: api, app.kubernetes.io/part-of: APP } }
    spec:
      serviceAccountName: APP
      containers:
      - name: api
        image: registry.example/APP/api:2.0.7
        ports: [ { name: http, containerPort: 3000 } ]
        env:
        - { name: DATABASE, value: "db.APP.svc:5432" }
        - name: PASSWORD
          valueFrom: { secretKeyRef: { name: db, key: password } }
        resources: { requests: { cpu: 250m, memory: 256Mi }, limits: { memory: 512Mi } }
        readinessProbe: { httpGet: { path: /healthz, port: http }, periodSeconds: 5 }
        volumeMounts: [ { name: settings, mountPath: /etc/api, readOnly: true } ]
      - name: metrics
        image: registry.example/exporters/metrics:0.9.1
        ports: [ { name: metrics, containerPort: 9102 } ]
        resources: { requests: { cpu: 10m, memory: 32Mi } }
      volumes: [ { name: settings, configMap: { name: api } } ]
---
apiVersion: v1
kind: Service
metadata: { name: api, labels: { app.kubernetes.io/name: api } }
spec:
  selector: { app.kubernetes.io/name: api }
  ports:
  - { name: http, port: 3000, targetPort: http }
  - { name: metrics, port: 9102, targetPort: metrics }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: api }
data: { level: info, limits.json: '{"requests": 100, "body": "8m", "timeout": "30s"}' }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: api }
spec: { maxUnavailable: 1, selector: { matchLabels: { app.kubernetes.io/name: api } } }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: APP }
automountServiceAccountToken: false
""",
    "db.yaml": """
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  labels: { app.kubernetes.io/name: db, app.kubernetes.io/part-of: APP }
spec:
  replicas: 1
  serviceName: db
  selector: { matchLabels: { app.kubernetes.io/name: db } }
  template:
    metadata: { labels: { app.kubernetes.io/name: db, app.kubernetes.io/part-of: APP } }
    spec:
      containers:
      - name: db
        image: registry.example/databases/db:17.2
        ports: [ { name: db, containerPort: 5432 } ]
        envFrom: [ { secretRef: { name: db } } ]
        resources: { requests: { cpu: 500m, memory: 1Gi }, limits: { memory: 1Gi } }
        readinessProbe: { tcpSocket: { port: db }, periodSeconds: 5 }
        volumeMounts:
        - { name: data, mountPath: /var/lib/db }
        - { name: settings, mountPath: /etc/db }
      volumes: [ { name: settings, configMap: { name: db } } ]
  volumeClaimTemplates:
  - metadata: { name: data }
    spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 10Gi } } }
---
apiVersion: v1
kind: Service
metadata: { name: db, labels: { app.kubernetes.io/name: db } }
spec:
  clusterIP: None
  selector: { app.kubernetes.io/name: db }
  ports: [ { name: db, port: 5432, targetPort: db } ]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: db }
data: { db.conf: "max_connections = 100\\nshared_buffers = 256MB\\nwal_level = replica\\n" }
---
apiVersion: v1
kind: Secret
metadata: { name: db }
stringData: { username: APP, password: correct-horse-battery-staple }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db }
spec:
  podSelector: { matchLabels: { app.kubernetes.io/name: db } }
  policyTypes: [Ingress]
  ingress:
  - from: [ { podSelector: { matchLabels: { app.kubernetes.io/name: api } } } ]
    ports: [ { protocol: TCP, port: 5432 } ]
""",
}
OBJECTS = 15
# What is changed by hand: a Deployment whose replicas no autoscaler has.
SCALED, REPLICAS = "api", 2

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [ {{ name: site, cluster: {{ server: "http://{address}" }} }} ]
users: [ {{ name: farol, user: {{ token: not-looked-at }} }} ]
contexts: [ {{ name: site, context: {{ cluster: site, user: farol }} }} ]
current-context: site
"""


def write(path, sites, apps):
    """Writes all of it; gives the description's path. Sites have an `address` and a `uid`."""
    lines = ["sites:"]
    for number, site in enumerate(sites):
        (path / f"{site_name(number)}.kubeconfig").write_text(KUBECONFIG.format(address=site["address"]))
        lines += [f"- name: {site_name(number)}", f"  cluster: {{ kubeconfig: {site_name(number)}.kubeconfig, uid: {site['uid']} }}"]
    lines.append("apps:")
    for number in range(apps):
        app = app_name(number)
        (path / app).mkdir()
        for name, text in MANIFESTS.items():
            (path / app / name).write_text(text.replace("APP", app))
        lines += [f"- name: {app}", f"  namespace: {app}", f"  source: {{ manifests: {app}/ }}"]
    (path / "fleet.yaml").write_text("\n".join(lines) + "\n")
    return path / "fleet.yaml"


def site_name(number):
    return f"site-{number:02}"


def app_name(number):
    return f"app-{number:02}"
